# A thin front: scripts/ and CMake do the work.
.PHONY: build demo check bench clean
build:
	@scripts/install-deps
	@scripts/build
demo:
	@scripts/demo
check:
	@scripts/check
bench: build
	@scripts/bench
clean:
	rm -rf build
