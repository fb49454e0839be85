#!/usr/bin/perl
# An SMSC made of Debian's Net::SMPP, a library that has nothing in common with the box's code.
#
# Says the port it listens on in its first line, and after that one line for all that comes: a word, then NAME=HEX ...
# Answers binds by their password (it is "secret"), submits with names N1, N2, ..., and delivers a receipt for each that
# asks for one. A text "echo: ..." comes back as a message of its own, in its coding, before the receipt.
use strict;
use warnings;
use Net::SMPP;

$| = 1;
my $listening = Net::SMPP->new_listen('127.0.0.1', port => 0) or die "no port: $!";
print 'port ', $listening->sockport, "\n";

my ($count, $sequence) = (0, 1000);

sub told {
    my ($word, $pdu, @names) = @_;
    print join(' ', $word, map { "$_=" . unpack('H*', defined $pdu->{$_} ? $pdu->{$_} : '') } @names), "\n";
}

sub submitted {
    my ($client, $pdu) = @_;
    told('submit', $pdu, qw(source_addr_ton source_addr_npi source_addr dest_addr_ton dest_addr_npi destination_addr
        esm_class validity_period registered_delivery data_coding short_message message_payload));
    my $id = 'N' . ++$count;
    $client->submit_sm_resp(seq => $pdu->{seq}, message_id => $id);
    my %way = (
        source_addr_ton => $pdu->{dest_addr_ton}, source_addr_npi => $pdu->{dest_addr_npi},
        source_addr => $pdu->{destination_addr}, destination_addr => $pdu->{source_addr}, async => 1,
    );
    my $text = $pdu->{short_message};
    $client->deliver_sm(%way, seq => ++$sequence, short_message => $text, data_coding => $pdu->{data_coding})
        if index($text, 'echo: ') == 0;
    if ($pdu->{registered_delivery}) {
        $client->deliver_sm(
            %way, seq => ++$sequence, esm_class => 4,
            short_message => "id:$id sub:001 dlvrd:001 submit date:2611271159 done date:2611271200 stat:DELIVRD err:000"
                . ' text:',
            receipted_message_id => "$id\0", message_state => "\2",
        );
    }
}

while (my $client = $listening->accept) {
    while (my $pdu = $client->read_pdu) {
        my $command = $pdu->{cmd};
        if ($command == Net::SMPP::CMD_bind_transceiver) {
            told('bind', $pdu, qw(system_id password system_type));
            my $status = $pdu->{password} eq 'secret' ? 0 : 0x0e;
            $client->bind_transceiver_resp(seq => $pdu->{seq}, status => $status, system_id => 'net-smpp');
        } elsif ($command == Net::SMPP::CMD_submit_sm) {
            submitted($client, $pdu);
        } elsif ($command == Net::SMPP::CMD_enquire_link) {
            print "enquire\n";
            $client->enquire_link_resp(seq => $pdu->{seq});
        } elsif ($command == Net::SMPP::CMD_deliver_sm_resp) {
            print "delivered $pdu->{status}\n";
        } elsif ($command == Net::SMPP::CMD_unbind) {
            print "unbind\n";
            $client->unbind_resp(seq => $pdu->{seq});
            last;
        }
    }
    $client->close;
}
