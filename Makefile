# `make demo` runs the main job, `make test` all tests; both install what they need (as root, Debian 12).
PY := .venv/bin/python
STAMP := .venv/.installed
# Without compiled files each of pytest's workers rewrites and compiles every test anew: a third of `make check`.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help check lint types unit dist test test-measured test-beside test-native test-root test-dist test-machines test-lab test-crash test-kube test-kube-node test-old-kernel mutants faults soak soak-beside soak-dead soak-machines selinux bench demo demo-kube demo-aa demo-why lab stub docs man lock fuzz clean
help:
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/\t/'

$(STAMP): requirements.lock pyproject.toml tools/system-packages
	@tools/system-packages build
	@test -x $(PY) || python3 -m venv .venv
	@.venv/bin/pip install -q --require-hashes -r requirements.lock
	@.venv/bin/pip install -q --no-deps --no-build-isolation -e .
	@touch $@

check: $(STAMP) ## lint, types, and the tests that need neither root nor the lab nor long (a minute and a half)
	@$(MAKE) --no-print-directory -j2 lint types
	@$(MAKE) --no-print-directory unit

lint: $(STAMP)
	@.venv/bin/ruff check . && .venv/bin/ruff format --check . && .venv/bin/lint-imports --config pyproject.toml --no-cache

types: $(STAMP)
	@.venv/bin/mypy

# Six workers on two processors: the tests spend two thirds of their time waiting (four: 58 s, six: 43, eight: 52).
unit: $(STAMP) build/flexvolume-stub/instorage-flexvolume
	@$(PY) -m pytest -q -n 6 -m 'not lab and not root and not kube and not slow'

# Beside the lab, whose tests are used to slow machines, everything native runs, and is served first: its deadlines
# are a real machine's (after the lab it took five times as long, and eleven tests ran out of time). What fails does
# not keep the rest from being run: one run says all.
test: $(STAMP) ## every test: native, the stub's processors, a control plane; the lab's, and pods on real kubelets
	@tools/system-packages lab
	@tools/system-packages kube
	@tools/system-packages dist
	@tools/system-packages selinux
	@$(MAKE) --no-print-directory stub  # once: two at a time write over each other
	@$(PY) -m tools.kube.build >/dev/null
	@$(PY) -m tools.dist $(TREES) >/dev/null
	@$(MAKE) --no-print-directory test-measured; measured=$$?; \
	  $(MAKE) --no-print-directory -k -j2 test-beside test-machines && exit $$measured

test-measured: $(STAMP) ## what holds a time against a figure of the requirement: with nothing beside it
	@tools/system-packages kube
	@tools/system-packages dist
	@$(PY) -m tools.kube.build kube-apiserver kube-controller-manager >/dev/null
	@$(PY) -m pytest -q -m measured --durations=10

test-beside: $(STAMP)
	@mkdir -p build
	@$(MAKE) --no-print-directory -k lint types test-native test-root test-dist test-kube >build/test-beside.log 2>&1; \
	  ended=$$?; cat build/test-beside.log; exit $$ended  # in one piece: the lab's tests report meanwhile

test-native: $(STAMP) stub
	@tools/system-packages selinux
	@tools/system-packages lab  # the emulators of the stub's other processors
	@$(PY) -m pytest -q -n 2 -m 'not lab and not root and not kube and not measured and not dist'

# One after the other: namespaces, loop devices and control groups of one machine.
test-root: $(STAMP) build/flexvolume-stub/instorage-flexvolume ## native tests that need root
	@tools/system-packages lab
	@$(PY) -m pytest -q -m 'root and not lab and not kube' --durations=10

# Our own Python is built once for each change of its sources (every day for this processor, for both in the soak), and kept.
BOTH := --tree node --tree provisioner
TREES := --arch $(shell uname -m) $(BOTH)
test-dist: $(STAMP) stub ## what users get: asks nothing of a host's libraries, starts anywhere, is the same twice
	@tools/system-packages dist
	@$(PY) -m tools.dist $(TREES) >/dev/null
	@$(PY) -m pytest -q -m 'dist and not measured' --durations=10 tests/dist

dist: $(STAMP) ## archives, deb and rpm for x86_64 and aarch64, below dist/ (15 minutes from nothing, then 2)
	@tools/system-packages dist
	@$(PY) -m tools.dist

test-machines: $(STAMP)
	@nice -n 5 $(MAKE) --no-print-directory test-lab; lab=$$?; $(MAKE) --no-print-directory test-kube-node && exit $$lab

test-lab: $(STAMP) ## the lab's tests; one lab at a time, two make paths late (seen)
	@tools/system-packages lab
	@tools/system-packages dist
	@$(PY) -m pytest -q -m 'lab and not kube' --durations=10

test-crash: $(STAMP) ## kills at each step once, with a real kernel and SAN; the adversary against the running units
	@tools/system-packages lab
	@$(PY) -m pytest -q -m lab --durations=10 tests/lab/crash $(wildcard tests/lab/adversary)

test-kube: $(STAMP) ## the provisioner against a real Kubernetes control plane, built from Debian's sources (5 min, once)
	@tools/system-packages kube
	@$(PY) -m tools.kube.build kube-apiserver kube-controller-manager >/dev/null
	@$(PY) -m pytest -q -m 'kube and not lab and not measured' --durations=10

test-kube-node: $(STAMP) ## pods on real kubelets in the lab's machines, with the control plane and the provisioner
	@tools/system-packages lab
	@tools/system-packages kube
	@$(PY) -m tools.kube.build >/dev/null
	@$(PY) -m pytest -q -m 'kube and lab' --durations=10 tests/lab/kube

test-old-kernel: $(STAMP) ## root code's tests on kernels that lack what is younger than 4.4, 4.18 and 5.4
	@for kernel in 4.4 4.18 5.4; do \
	  $(PY) -m tests.old_kernel $$kernel -- -m pytest -q tests/helper || exit 1; done

mutants: $(STAMP) ## each safety rule taken out of a copy: the tests named for it must fail (LAB=1: the lab's too)
	@$(PY) -m tools.mutants

soak: $(STAMP) ## kill everybody at every step, and what else is too long for every day; figures go to docs/soak.md
	@tools/system-packages lab
	@tools/system-packages kube
	@tools/system-packages dist
	@$(PY) -m tools.kube.build >/dev/null
	@$(PY) -m tools.dist $(BOTH) >/dev/null
	@SOAK=1 $(MAKE) --no-print-directory -k test-measured; measured=$$?; \
	  SOAK=1 $(MAKE) --no-print-directory -k -j3 soak-beside soak-dead soak-machines && exit $$measured

soak-beside: $(STAMP)
	@mkdir -p build
	@nice -n 10 $(PY) -m pytest -q --timeout 3600 -m 'not measured' tests/agent/test_expansion.py \
	  tests/agent/test_expansion_trouble.py tests/agent/test_killed_expansion.py tests/agent/test_resume_beside.py \
	  tests/agent/test_edited_configuration.py tests/ctl/test_under_load.py tests/dist \
	  tests/packaging/test_killed_installer.py tests/old_kernel >build/soak-beside.log 2>&1; \
	  ended=$$?; cat build/soak-beside.log; exit $$ended

soak-dead: $(STAMP)
	@mkdir -p build
	@nice -n 10 $(PY) -m pytest -q tests/agent/test_dead_array.py >build/soak-dead.log 2>&1; \
	  ended=$$?; cat build/soak-dead.log; exit $$ended  # an hour, most of it asleep

soak-machines: $(STAMP)
	@FAULTS_N=$(or $(N),8) FAULTS_SEED=$(SEED) $(PY) -m pytest -q -m 'lab and not kube' --timeout 3600 tests/lab; \
	  ended=$$?; $(PY) -m pytest -q -m 'kube and lab' --timeout 3600 tests/lab/kube && exit $$ended

faults: $(STAMP) ## randomised faults around a whole node: make faults N=200 [SEED=7] [LINK=fc]; goes on where it stopped
	@tools/system-packages lab
	@SOAK=$(LINK:iscsi=) FAULTS_N=$(or $(N),200) FAULTS_SEED=$(SEED) $(PY) -m pytest -q tests/lab/faults \
	  -k $(or $(LINK),iscsi)

# The stub: static, without a C library, for every processor; its headers are the kernel's own, which ziglang brings.
STUB := build/flexvolume-stub
STUB_ARCHES := x86_64 aarch64 mips64el
STUB_NATIVE := $(STUB)/instorage-flexvolume
HEADERS = $(shell $(PY) -c 'import ziglang,pathlib;print(pathlib.Path(ziglang.__file__).parent)')/lib/libc/include
STUB_FLAGS := -std=c11 -Os -Wall -Wextra -Wconversion -Werror -ffreestanding -fno-builtin -fno-unwind-tables \
  -fno-asynchronous-unwind-tables -fno-stack-protector -fno-pie -no-pie -ftrivial-auto-var-init=zero \
  -fsanitize=undefined -fsanitize-trap=undefined -static -nostdlib -s \
  -Wl,--entry=_start -Wl,--no-eh-frame-hdr -Wl,-z,noexecstack -Wl,-z,relro -Wl,-z,now
STUB_x86_64 := -target x86_64-linux-musl -fcf-protection=full
STUB_aarch64 := -target aarch64-linux-musl -mbranch-protection=standard
STUB_mips64el := -target mips64el-linux-muslabi64 -mno-abicalls -fno-pic -G0
KERNEL_x86_64 := x86
KERNEL_aarch64 := aarch64
KERNEL_mips64el := mips

stub: $(STUB_NATIVE) $(STUB_ARCHES:%=$(STUB)/%/instorage-flexvolume) ## the FlexVolume stub for every processor

$(STUB)/%/instorage-flexvolume: flexvolume-stub/stub.c flexvolume-stub/kernel.h | $(STAMP)
	@mkdir -p $(@D)
	@$(PY) -m ziglang cc $(STUB_$*) $(STUB_FLAGS) -isystem $(HEADERS)/$(KERNEL_$*)-linux-any \
	  -isystem $(HEADERS)/any-linux-any -o $@.new $< && mv -f $@.new $@

$(STUB_NATIVE): $(STUB)/$(shell uname -m)/instorage-flexvolume
	@cp $< $@.new && mv -f $@.new $@

# Fedora's headers and modules are installed by its own policy's `make install-headers install`: POLICY_HEADERS is the
# folder with include/ and base.pp, with which the module is linked and checked.
POLICY_HEADERS := /usr/share/selinux/devel
selinux: $(STAMP) ## the policy module, checked: make selinux [POLICY=fedora POLICY_HEADERS=folder]
	@tools/system-packages selinux
	@$(MAKE) --no-print-directory -C selinux OUT=$(CURDIR)/build/selinux/$(or $(POLICY),refpolicy) DEVEL=$(POLICY_HEADERS) \
	  SHAREDIR=$(dir $(abspath $(POLICY_HEADERS))) POLICY=$(or $(POLICY),refpolicy)
	@if [ "$(POLICY)" = fedora ]; then \
	  $(PY) -m tools.selinux.modules build/selinux/fedora/instorage.pp $(POLICY_HEADERS); \
	  else $(PY) -m pytest -q tests/selinux; fi

bench: $(STAMP) ## how fast, against what: table, JSON and pictures below build/bench (PART="stub claims": some)
	@tools/system-packages lab
	@tools/system-packages kube
	@$(PY) -m tools.kube.build kube-apiserver kube-controller-manager >/dev/null
	@$(PY) -m benchmarks $(PART)

fuzz: $(STAMP) ## random input for every parser: make fuzz N=1000000 [SEED=1]
	@$(PY) -m tools.fuzz $(or $(N),1000000) $(if $(SEED),--seed $(SEED))

demo: $(STAMP) ## a volume's whole life on one node, in virtual machines (LINK=fc over Fibre Channel; KEEP=1 leaves a shell)
	@tools/system-packages lab
	@tools/system-packages dist
	@$(PY) -m tools.demo

demo-kube: $(STAMP) ## the manual's claims and Deployment in a cluster with a real kubelet (8 min from nothing, then 80 s)
	@tools/system-packages lab
	@tools/system-packages kube
	@$(PY) -m tools.demo.kube

demo-aa: $(STAMP) ## an active-active volume whose site dies under a running pod, and comes back (3 min)
	@tools/system-packages lab
	@$(PY) -m tools.demo.sites

demo-why: $(STAMP) ## five faults, what «kubectl instorage why» says of each, mended by the command it names
	@tools/system-packages lab
	@tools/system-packages kube
	@$(PY) -m tools.demo.why

docs: $(STAMP) ## the pages as a site that is read without a network, below build/site
	@$(PY) -m tools.pictures && $(PY) -m tools.code_pages
	@mkdir -p build && $(PY) -m tools.site build/site

lab: $(STAMP) ## a shell in fresh virtual machines with a SAN: make lab NODES="a b", or make lab RELEASE=bullseye
	@tools/system-packages lab
	@$(PY) -m tools.lab $(if $(RELEASE),--release $(RELEASE)) shell $(or $(NODES),a)

man: $(STAMP) ## the man pages, from tools/man/pages and the tables of the code, below man/
	@$(PY) -m tools.man

lock: ## resolve the dependencies anew
	@.venv/bin/pip install -q pip-tools
	@for lock in "requirements.lock --extra=dev --extra=provisioner" "requirements-node.lock -c requirements.lock" \
	  "requirements-provisioner.lock --extra=provisioner -c requirements.lock"; do \
	  .venv/bin/pip-compile -q --generate-hashes --allow-unsafe --no-emit-index-url --no-emit-find-links \
	    --no-emit-trusted-host --strip-extras -o $$lock pyproject.toml; done

clean: ## remove what builds made here (not the caches)
	@rm -rf build dist .mypy_cache .ruff_cache
