#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Build and run the harness in every configuration. Arguments are for ./main;
# with none, all configurations share a seed of the hour and print it.

set -u
cd "$(dirname "$0")" || exit 1

passed=0 failed=0 skipped=0
log=$(mktemp) || exit 1
trap 'rm -f "$log"; make -s clean' EXIT

# What the harness printed last is "N passed, N failed, N skipped".
count() {
	sed -n '$s/^\([0-9]*\) passed, \([0-9]*\) failed, \([0-9]*\) skipped$/\1 \2 \3/p' "$log"
}

run_config() {
	echo "== make $*"
	make -s clean
	if ! make -s "CC=$CC" "$@" >"$log" 2>&1; then
		cat "$log"
		echo "FAIL build: make -C $PWD $*"
		failed=$((failed + 1))
		return
	fi
	# shellcheck disable=SC2086 # options, not one word
	./main $options >"$log" 2>&1
	status=$?
	cat "$log"
	# shellcheck disable=SC2046 # three numbers
	set -- "$*" $(count)
	if [ $# -ne 4 ] || { [ "$status" -ne 0 ] && [ "$3" -eq 0 ]; }; then
		echo "FAIL run: ended with $status and no count (make $1)"
		failed=$((failed + 1))
		return
	fi
	passed=$((passed + $2)) failed=$((failed + $3)) skipped=$((skipped + $4))
}

have_m32() {
	echo 'int main(void) { return 0; }' >"$log.c"
	$CC -m32 -fsanitize=address,undefined "$log.c" -o "$log.m32" \
		2>/dev/null && "$log.m32"
	status=$?
	rm -f "$log.c" "$log.m32"
	return "$status"
}

CC=${CC:-cc}
options=${*:-"--seed $(date +%Y%m%d%H)"}

run_config
run_config PAGELESS=n
if have_m32; then
	run_config BUILD=32
	run_config BUILD=32 PHYS=32
	run_config BUILD=32 PAGELESS=n
else
	echo "SKIP BUILD=32, three configurations: $CC -m32 cannot build" \
	     "and run a program under ASan and UBSan; it needs gcc-multilib"
	skipped=$((skipped + 3))
fi

echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
