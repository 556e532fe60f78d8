# A thin front: scripts/ and CMake do the work.
.PHONY: bench bench-cold bench-composed bench-instructions bench-kernel build check \
	check-exports check-fresh check-import-options check-kasan check-kernels check-mitigations \
	check-mutations check-packages check-report check-sanitizers check-sites check-style \
	check-suites check-threads check-types clean demo demo-guest docs fuzz fuzz-device \
	fuzz-engines install kernels notebooks package-dkms packages pages-deps screenshots soak \
	table transparency
build:
	@scripts/install-deps
	@scripts/build
demo:
	@scripts/demo
demo-guest:
	@SYSVM_DEMO_GUEST=1 scripts/demo
check:
	@scripts/check
check-fresh:
	@scripts/check-fresh
check-kernels: build
	@scripts/install-deps scripts/packages-containers.txt
	@scripts/check-kernels
check-kasan: build
	@scripts/check-kasan
check-report: build pages-deps
	@ctest --test-dir build -L report -C report --output-on-failure
	@ctest --test-dir build -R '^report\.' --output-on-failure
check-types: build pages-deps
	@cd build/python && mypy --strict --ignore-missing-imports -p sysvm
screenshots: notebooks
	@tests/report/screenshots.py build/screenshots
notebooks: build pages-deps
	@scripts/notebooks
docs: pages-deps
	@mkdocs build -q --strict
	@echo build/site/index.html
pages-deps:
	@scripts/install-deps scripts/packages-pages.txt
check-style: build
	@scripts/check-style
check-exports: build
	@scripts/fetch-consumers build/consumers
	@ctest --test-dir build -R cli.consumers --output-on-failure
check-sites: build
	@nice scripts/census all --table build/census/table.md
check-import-options: build
	@ctest --test-dir build -L import-options -C long --output-on-failure
check-mutations: build
	@scripts/check-mutations
check-mitigations: build
	@scripts/check-mitigations
fuzz-device: build
	@scripts/fuzz-device
install:
	@scripts/install $(or $(PREFIX),$(prefix),/usr/local)
packages:
	@scripts/install-deps
	@scripts/packages
check-packages: packages
	@ctest --test-dir build -R '^packaging\.' --output-on-failure
package-dkms:
	@scripts/package-dkms
kernels:
	@scripts/kernels
soak: build
	@scripts/soak
check-suites: build
	@scripts/install-deps scripts/packages-suites.txt
	@tests/suites/run $(SUITES)
check-threads: build
	@SYSVM_THREAD_SECONDS=$(or $(SECONDS),5) ctest --test-dir build -R shim.threads --output-on-failure
transparency: build
	@tests/transparency/run --strict
bench: build
	@scripts/bench
bench-cold: build
	@bench/cold
bench-kernel: build
	@scripts/install-deps scripts/packages-kernel.txt
	@bench/kernel/measure --json build/bench-kernel.json
bench-composed: build
	@test -f build/bench-kernel.json || $(MAKE) bench-kernel
	@bench/hot/composed --kernel build/bench-kernel.json --json build/bench-composed.json
bench-instructions: build
	@bench/hot/instructions --json build/bench-instructions.json
table: build
	@bench/programs/table
promises: build
	@scripts/install-deps scripts/packages-programs.txt
	@bench/programs/promises
fuzz:
	@scripts/install-deps
	@scripts/fuzz
check-sanitizers:
	@scripts/install-deps
	@scripts/check-sanitizers
fuzz-engines: build
	@nice -n 10 scripts/fuzz-engines
clean:
	rm -rf build
