# Two verbs for everyone: `make demo` and `make test`. The rest is for those who need it.
.DEFAULT_GOAL := help
PYTHON ?=
VENV := .venv
BIN := $(VENV)/bin
SECONDS ?= 600
TARGET ?=
IMAGE ?=
BOOTED = $(or $(IMAGE),$(lastword $(sort $(wildcard image/out/modembank-*-amd64.img))))
# Where it is set (many containers do), every daemon that a test starts would compile the whole program once more.
unexport PYTHONDONTWRITEBYTECODE
AXE := axe-core 4.14.1 1477dafa598d8d065f273d6af302aa203c02e83131707b7fa648cd41bd3d6b734f8c22a0dab86ee6a6f64b8afbe804b214d36db85a2826965edfb3a0b9d546b5
IMAGE_TOOLS := mmdebstrap squashfs-tools dosfstools mtools fdisk e2fsprogs zstd rauc openssl
COMPILE := uv pip compile --universal --generate-hashes --no-header --no-annotate -q

.PHONY: help demo demo-fleet test check fast bench selftest pool-simulation schemathesis home-assistant asyncapi fleet-chaos soak powercuts booted image image-arm64 bundle fuzz environment dev-environment test-tools clean lock boot-usb boot-image power-pulls damage-image machine-tools update-image

help: ## show this list
	@grep -E '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 20

demo: environment ## start the daemon on an embedded bank of 8 emulated modems
	@$(BIN)/modembank demo $(ARGS)

demo-fleet: environment ## start a hub and three boxes on emulated banks, with a broker between them (installs Debian's Mosquitto)
	@sh tools/debian-packages.sh mosquitto
	@$(BIN)/modembank demo-fleet $(ARGS)

test: dev-environment test-tools check ## install what the tests need and run the whole default suite
	$(BIN)/pytest -n 3 --dist worksteal

check: dev-environment ## format, lint, types, import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

fast: dev-environment ## the tests that need no Debian package
	$(BIN)/pytest -n 3 --dist worksteal -m "not oracle and not peer and not native and not broker and not postgres and not browser and not systemd and not udev and not rauc and not root and not disks"

bench: dev-environment test-tools ## measure: ratios against a baseline in the same run (about 20 minutes)
	$(BIN)/python tests/bench/run.py $(ARGS)

selftest: environment ## prove the promise: kill the daemon 200 times and compare the ledgers (under ten minutes)
	$(BIN)/modembank selftest --kills $(or $(KILLS),200) $(ARGS)

pool-simulation: dev-environment ## the fleet's pool in virtual time under 100,000 schedules of faults [SCHEDULES=n SEED=n] (about ten minutes)
	$(BIN)/python tests/pool_simulation/run.py --schedules $(or $(SCHEDULES),100000) --seed $(or $(SEED),1)

home-assistant: dev-environment ## Home Assistant's own schemas and core judge what they are told (a minute; first installs it, 600 MB; needs Python 3.13)
	@sh tools/debian-packages.sh mosquitto
	$(BIN)/python tests/home_assistant/run.py $(ARGS)

asyncapi: dev-environment ## AsyncAPI's own parser judges the document of the fleet, and damaged ones (half a minute; needs npm)
	@command -v npm >/dev/null || sh tools/debian-packages.sh npm
	$(BIN)/python tests/asyncapi/run.py

fleet-chaos: dev-environment ## kill boxes, hub and broker 500 times while events flow [KILLS=500 SEED=1] (about half an hour)
	@sh tools/debian-packages.sh mosquitto
	HUB_KILLS=$(or $(KILLS),500) HUB_SEED=$(or $(SEED),1) $(BIN)/pytest -n 0 -s tests/modembank_hub/test_killed.py

soak: dev-environment test-tools ## many more examples (about 20 minutes), then 10,000 kills (about six hours; KILLS=n)
	HYPOTHESIS_PROFILE=soak $(BIN)/pytest -n 2 --timeout 1200 tests/at tests/tpdu tests/sim tests/messages tests/dispatch tests/fuzz tests/modembank_web/test_conformance.py
	$(BIN)/modembank selftest --kills $(or $(KILLS),10000) --seed $(or $(SEED),1)

schemathesis: dev-environment ## ask for every operation in every role, well and badly, and differently each time (about 20 minutes)
	SCHEMATHESIS_EXAMPLES=$(or $(EXAMPLES),200) $(BIN)/pytest -n 2 tests/modembank_web/test_schemathesis.py

powercuts: dev-environment test-tools ## cut the power of a working box 1,500 times and check what is left (about 2 minutes)
	$(BIN)/python tests/powercut/run.py --cuts 1500 --recordings 3 $(ARGS)

booted: dev-environment test-tools ## boot a Debian with the service installed, and look at it from inside (under a minute; as root)
	@sh tools/debian-packages.sh systemd-container
	$(BIN)/python tests/systemd/booted/run.py $(ROOT)

image: dev-environment ## build the image of the appliance for PCs, into image/out (about two minutes; as root)
	@sh tools/debian-packages.sh $(IMAGE_TOOLS)
	$(BIN)/python image/build.py $(ARGS)

image-arm64: dev-environment ## the same for the Raspberry Pi 3, 4 and 5 (about an hour: it runs emulated)
	@sh tools/debian-packages.sh $(IMAGE_TOOLS) arch-test binfmt-support qemu-user-static
	$(BIN)/python image/build.py --architecture arm64 $(ARGS)

bundle: dev-environment ## make a signed update of the image that was built last (ARGS="--architecture arm64"; CERT= KEY= KEYRING=)
	@sh tools/debian-packages.sh rauc mtools openssl squashfs-tools
	CERT="$(CERT)" KEY="$(KEY)" KEYRING="$(KEYRING)" $(BIN)/python image/bundle.py $(ARGS)

boot-usb: machine-tools ## modems on the USB of a real kernel in QEMU (about 20 minutes without KVM; as root; IMAGE=)
	$(BIN)/python tests/machine/run_usb.py $(IMAGE)

boot-image: machine-tools ## start the image in QEMU, set it up, send, look at it from all sides (about 30 minutes without KVM; as root)
	$(BIN)/python tests/machine/run_boot.py $(BOOTED)

power-pulls: machine-tools ## pull the power of the image 20 times while it sends [PULLS=20] (hours without KVM)
	$(BIN)/python tests/machine/run_power.py $(BOOTED) --pulls $(or $(PULLS),20) $(ARGS)

update-image: machine-tools ## update the image over its API, and refuse and roll back what is bad (about an hour without KVM)
	$(BIN)/python tests/machine/run_update.py $(BOOTED) $(BOOTED:.img=.system.vfat)

damage-image: machine-tools ## a wrong box.toml, a damaged data partition and a factory reset on the image (about 40 minutes without KVM)
	$(BIN)/python tests/machine/run_damage.py $(BOOTED)

machine-tools: dev-environment
	@sh tools/debian-packages.sh qemu-system-x86 qemu-utils ovmf mmdebstrap e2fsprogs fdisk mtools dosfstools rauc openssl squashfs-tools

fuzz: $(VENV)/installed-fuzz ## coverage-guided fuzzing of all that faces air or wire [SECONDS=600] [TARGET=name] (x86_64)
	$(BIN)/python tests/fuzz/drive.py --seconds $(SECONDS) --target "$(TARGET)"

environment: $(VENV)/installed ## create the virtual environment with the locked dependencies

dev-environment: $(VENV)/installed-dev ## the same with the tools for tests

$(VENV)/installed: requirements.lock requirements-build.lock tools/environment.sh pyproject.toml
	@PYTHON="$(PYTHON)" sh tools/environment.sh $(VENV) requirements.lock requirements-build.lock
	@touch $@

$(VENV)/installed-dev: requirements-dev.lock requirements-build.lock tools/environment.sh pyproject.toml
	@PYTHON="$(PYTHON)" sh tools/environment.sh $(VENV) requirements-dev.lock
	@touch $@ $(VENV)/installed

$(VENV)/installed-fuzz: requirements-fuzz.lock $(VENV)/installed-dev
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements-fuzz.lock
	@touch $@

test-tools: ## what tests and benchmarks need of Debian, and of npm the judge of accessible pages
	@sh tools/debian-packages.sh gammu python3-gammu tshark smstools kannel kannel-extras libnet-smpp-perl prometheus-alertmanager chromium gcc grub-common libc6-dev systemd udev umockdev libumockdev0 nftables iproute2 dbus-daemon busybox shellcheck mosquitto mosquitto-clients postgresql $(IMAGE_TOOLS)
	@sh tools/npm-package.sh $(AXE) .browser/axe-core

lock: ## resolve the dependencies again (needs uv); the lock files name no host
	$(COMPILE) pyproject.toml --override tools/unneeded.txt -o requirements.lock
	$(COMPILE) pyproject.toml --override tools/unneeded.txt --extra postgres -o requirements-postgres.lock
	$(COMPILE) pyproject.toml --group dev -o requirements-dev.lock
	$(COMPILE) --group build -o requirements-build.lock
	$(COMPILE) --group fuzz -o requirements-fuzz.lock

clean: ## remove the environment and caches
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache .fuzz .browser .home-assistant .asyncapi
