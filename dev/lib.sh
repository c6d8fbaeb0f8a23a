# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh disable=SC2034 # variables are for the scripts that source this
# What the scripts of dev/ share. Sourcing it goes to the project's top folder;
# every path that the scripts print can be pasted there.

cd "$(dirname "$0")" || exit 1
while [ ! -f dev/lib.sh ]; do cd .. || exit 1; done

# Only what is in the project decides what git does: no user's configuration,
# and none of the variables of a hook that called us.
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1
# shellcheck disable=SC2046 # a list of names
unset $(git rev-parse --local-env-vars)

export LC_ALL=C	# one order for sort, comm and the shell

LINUX=build/linux
# what the kernel of the KUnit boots and the guest jobs is configured with
KUNIT_OPTIONS='dev/configs/x86_64.config dev/kunit/kunitconfig dev/configs/lean.config'
JOBS=${JOBS:-$(nproc)}

# A new checkout in another folder finds what this one compiled. What has to be
# compiled is not preprocessed first: the kernel asks for dependencies anyway.
export CCACHE_BASEDIR="$PWD" CCACHE_NOHASHDIR=1 CCACHE_SLOPPINESS=include_file_mtime CCACHE_DEPEND=1
export KBUILD_BUILD_TIMESTAMP='1970-01-01' KBUILD_BUILD_USER=pageless KBUILD_BUILD_HOST=pageless
if command -v ccache >/dev/null; then CCACHE='ccache '; else CCACHE=; fi
CC=${CCACHE}gcc

# commits ARGUMENTS: those of the series, the first first; as git log has them
commits() { git -C $LINUX log --reverse --format=%H base..series "$@"; }

die() {
	printf '%s: %s\n' "${0##*/}" "$1" >&2
	shift
	[ $# -eq 0 ] || printf '  %s\n' "$@" >&2
	exit 1
}

# quote WORDS: one line that the shell reads back as the same words
quote() {
	for word; do
		case $word in
		*[!A-Za-z0-9_./=:,%@+-]* | '') printf "'%s' " "$word" ;;
		*) printf '%s ' "$word" ;;
		esac
	done | sed 's/ $//'
}

# say COMMAND: what is about to run
say() { printf '$ %s\n' "$(quote "$@")"; }

# run COMMAND: short work, output as it is
run() { say "$@"; "$@"; }

# stage NAME COMMAND: long work. The output goes to build/logs/NAME.log, a line
# says how far it is, and a failure how to see and repeat it.
stage() {
	log=build/logs/$1.log
	shift
	mkdir -p build/logs
	: >"$log"
	say "$@"
	progress "$log" $$ &
	watcher=$!
	status=0
	"$@" >>"$log" 2>&1 </dev/null || status=$?
	kill "$watcher" 2>/dev/null || :
	wait "$watcher" 2>/dev/null || :
	[ ! -t 1 ] || printf '\r\033[K'
	[ "$status" -eq 0 ] || failed "$log" "$@"
}

# table FILE: its rows, without comments and the blanks around '|'
table() { sed 's/#.*//; /|/!d; s/[[:space:]]*|[[:space:]]*/|/g; s/[[:space:]]*$//' "$1"; }

# row FILE NAME: the row that begins with NAME
row() { table "$1" | grep "^${2:-none}|" || die "$1 has no ${2:-name}; it has:" "$(table "$1" | cut -d'|' -f1)"; }

# progress LOG PID [NAME]: while PID lives, how many lines the log has and the
# last one: every second on a terminal, else every half minute
progress() {
	start=$(date +%s)
	while sleep 1 && kill -0 "$2" 2>/dev/null; do
		seconds=$(($(date +%s) - start))
		if [ -t 1 ]; then
			format='\r\033[K%s'
		elif [ $((seconds % 30)) -eq 0 ]; then
			format='%s\n'
		else
			continue
		fi
		# shellcheck disable=SC2059 # one of the two above
		printf "$format" "$(printf '  %s%4ds %6d lines  %s' "${3:+$3 }" "$seconds" \
			"$(wc -l <"$1")" "$(tail -n 1 "$1" | cut -c 1-60)")"
	done
}

# failed LOG COMMAND: the end of a stage that went wrong
failed() {
	log=$1
	shift
	{
		echo "FAILED, exit status $status. From $log:"
		{ grep -E '(error|fatal|undefined|No rule to make|not ok)' "$log" || cat "$log"; } | tail -n 15 | sed 's/^/  /'
		echo "Again: $(quote "$@")"
	} >&2
	exit 1
}

# ---- results of a stage of 'make check'

passed=0 failures=0 skipped=0
ok() { passed=$((passed + 1)); echo "ok - $1"; }
not_ok() { failures=$((failures + 1)); echo "not ok - $1: $2"; }
skip() { skipped=$((skipped + 1)); echo "skip - $1: $2"; }

# check NAME COMMAND: passes if the command does; its last words are the reason
check() {
	what=$1
	shift
	if said=$("$@" 2>&1); then
		ok "$what"
	else
		not_ok "$what" "$(echo "$said" | tail -n 3 | tr '\n' ' ')(again: $(quote "$@"))"
	fi
}

# results: the last words of a stage, and its exit status
results() {
	echo "$passed passed, $failures failed, $skipped skipped"
	[ "$failures" -eq 0 ]
}
