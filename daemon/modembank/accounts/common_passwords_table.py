"""The passwords that are tried first, in lower case, each with at least its word; digits around a word do not help."""

_WORDS = """
    password passw0rd p@ssword p@ssw0rd pa55word pa55w0rd passwort passwd passpass password1 password12 password123
    password1234 password! mypassword yourpassword thepassword newpassword oldpassword nopassword changeme changeit
    changethis change_me letmein letmein1 letmeinnow openup opensesame sesame welcome welcome1 welcome123 welcomeback
    admin admin1 admin12 admin123 admin1234 admin12345 adminadmin administrator administrador sysadmin superuser root
    rootroot toor superadmin operator manager master masterkey mainframe service support helpdesk guest guestguest
    user username useruser default defaultpassword temp temporary temppass test testing tester test123 test1234
    testtest demo demodemo example sample secret secret1 secret123 topsecret secrets private public security secure
    login login123 logon signin access access14 access123 entrance enter enterprise computer laptop internet network
    server system windows linux ubuntu debian raspberry raspberrypi pi raspbian android iphone samsung google facebook
    twitter youtube instagram yahoo hotmail gmail microsoft oracle cisco huawei quectel simcom telit vodafone telekom
    orange twilio
    qwerty qwerty1 qwerty12 qwerty123 qwerty1234 qwertyui qwertyuiop qwertz qwertz123 azerty azerty123 asdf asdfasdf
    asdfgh asdfghjk asdfghjkl asdf1234 zxcvbn zxcvbnm zxcv1234 qazwsx qazwsxedc qazxsw 1qaz2wsx 1qaz2wsx3edc zaq12wsx
    zaq1xsw2 1q2w3e4r 1q2w3e4r5t 1q2w3e 1qazxsw2 q1w2e3r4 q1w2e3r4t5 q2w3e4r5 qweasd qweasdzxc qweqwe qwer1234 qwaszx
    wasdwasd poiuytrewq lkjhgfdsa mnbvcxz 147258369 159357 159753 741852963 789456123 987654321 123654789 147852369
    123123123 123123 112233 11223344 1122334455 102030 10203040 121212 12121212 123321 123456 1234567 12345678
    123456789 1234567890 0123456789 12344321 123454321 1234qwer 1234abcd 123abc 123qwe 123qweasd 123456a 123456q
    12345qwert 123456abc 12345678a 123456789a a123456 a1234567 a12345678 a123456789 aa123456 aa12345678 abc123
    abc12345 abcd1234 abcd123 abcde12345 abcabc abcdef abcdefg abcdefgh abcdefghi alphabet 1a2b3c4d a1b2c3 a1b2c3d4
    a1b2c3d4e5 00000000 11111111 22222222 33333333 44444444 55555555 66666666 77777777 88888888 99999999 31415926
    314159265 27182818 13131313 69696969 42424242 20202020 19191919 19841984 20002000
    iloveyou iloveyou1 iloveu loveyou lovely loveme loverboy lover love lovelove forever forever21 together mylove
    sweetheart sweetie darling honey beautiful princess prince queen king kingking angel angels babygirl babyboy
    baby mybaby cutie sunshine sunflower flower flowers rainbow butterfly blessed blessing heaven jesus jesuschrist
    christ godisgood godbless faith grace hope hello hello123 hellohello helloworld hallo hallohallo goodbye
    thankyou please whatever nothing nothing1 something anything everything nevermind remember forgot forget
    trustno1 trustme iamgod imthebest number1 numberone first second winner champion success lucky luckyday money
    moneymoney dollar dollars rich millionaire business company office work working worker boss
    football football1 soccer baseball basketball hockey tennis golf golfer rugby cricket fishing hunting hunter racing
    running swimming arsenal chelsea liverpool manchester barcelona realmadrid juventus bayern lakers yankees cowboys
    steelers eagles packers raiders chicago boston dallas london paris berlin madrid lisbon moscow america england
    germany deutschland france espana italia brasil canada mexico australia india pakistan bangladesh russia
    dragon monkey tiger lion eagle falcon shadow phoenix wolf wolfpack bear panther cobra spider spiderman batman
    superman ironman wolverine captain pirate ninja samurai warrior knight wizard merlin gandalf hobbit starwars
    startrek skywalker yoda darthvader matrix pokemon pikachu naruto minecraft fortnite callofduty counterstrike
    nintendo playstation xbox mario zelda sonic gamer gaming killer hacker hacking hackme ghost demon devil satan
    666666 blackjack poker casino jackpot mustang corvette ferrari porsche mercedes camaro harley yamaha honda toyota
    kawasaki suzuki jordan jordan23 michael michelle daniel david robert thomas george william charlie charles
    andrew anthony matthew joshua joseph jessica jennifer ashley amanda nicole natasha samantha alexander alexandra
    alexandre victoria elizabeth andrea maria carlos miguel antonio francisco martin oliver sophie hannah maggie
    buster bailey ginger pepper cookie cookies chocolate cheese banana orange apple cherry strawberry coffee
    whiskey vodka beer pizza hamburger chicken turkey peanut butter sugar candy lollipop bubbles
    summer winter spring autumn january february march april august september october november december monday
    tuesday wednesday thursday friday saturday sunday weekend holiday vacation christmas birthday newyear
    summer2024 summer2025 summer2026 winter2024 winter2025 winter2026 spring2025 spring2026 autumn2025 autumn2026
    freedom liberty justice victory peace power powerful energy thunder lightning storm stormy hurricane tornado
    diamond golden silver platinum crystal purple yellow green blue black white red brown pink
    silence midnight moonlight starlight galaxy universe planet earth ocean island mountain river forest nature
    music guitar piano metallica nirvana slipknot eminem beatles rockstar rocknroll rock dance dancer disco
    family mother father mommy daddy sister brother friend friends bestfriend friendship grandma grandpa
    student teacher school college university science history english biology chemistry physics
    correcthorsebatterystaple correct horse battery staple
"""
COMMON: frozenset[str] = frozenset(_WORDS.split())
