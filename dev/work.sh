# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# A tree for the script that sources this, in which commits are checked out and
# single objects built, so that build/linux and what was built from it stay as
# they are.

scratch=build/work/${0##*/}
work=$scratch/tree
work_o=$PWD/$scratch/o	# its O= folder

subject() { git -C $LINUX log -1 --format=%s "$1"; }

# work_key WORDS: changes with whatever decides the result for a commit
work_key() {
	{
		echo "$@"
		# shellcheck disable=SC2086 # a list
		cat "$0" dev/work.sh dev/objects.mk dev/sparse dev/bloat-objects $KUNIT_OPTIONS
		gcc --version
	} | sha1sum | cut -d' ' -f1
}

prepare_work() {
	git -C $work rev-parse -q --verify HEAD >/dev/null 2>&1 || {
		rm -rf $work
		git clone -q --shared --no-checkout $LINUX $work
	}
	rm -f $work/.git/index.lock
	git -C $work fetch -q origin '+refs/heads/*:refs/remotes/origin/*'
	mkdir -p "$work_o"
}

# check_out COMMIT: files that do not differ are not touched
check_out() { git -C $work checkout -q -f --detach "$1"; }

make_work() { make -C $work O="$work_o" ARCH=x86_64 CC="$CC" -j "$JOBS" "$@"; }

# numberless: of what compilers say on standard input, 'file: what', once each. The
# file's name is that in its tree, whichever that is: ccache repeats what was said in
# the tree where the object was compiled first.
numberless() { sed -n 's,^\(\.\./\|[^: ]*/\)tree/,,; s/^\([^: ]*\):[0-9]*:\([0-9]*:\)\{0,1\} *\(.*\(warning\|error\).*\)/\1: \3/p' | sort -u; }

# configure_work OPTION...: $fragments, or everything that the jobs and the KUnit boots turn on,
# as far as the commit has it; without KASAN, which only makes objects slow to build
configure_work() {
	[ -e "$work_o/tiny.config" ] || {	# of any commit
		make_work -s tinyconfig
		cp "$work_o/.config" "$work_o/tiny.config"
	}
	# shellcheck disable=SC2086 # a list
	grep -hv KASAN ${fragments:-$KUNIT_OPTIONS} | cat "$work_o/tiny.config" - >"$work_o/.config"
	printf '%s\n' "$@" >>"$work_o/.config"
	make_work -s olddefconfig
}

kbuild() { make -s -f dev/objects.mk tree=$work config="$work_o/.config" folder="$1" "$2" 2>/dev/null || :; }

# reachable FOLDER: each folder above, up to one without a makefile, descends into the next
reachable() {
	below=$1
	above=$(dirname "$below")
	while [ "$above" != . ] && [ -n "$(ls "$work/$above/Makefile" "$work/$above/Kbuild" 2>/dev/null)" ]; do
		kbuild "$above" folders | grep -qx "$below" || return 1
		below=$above
		above=$(dirname "$below")
	done
}

# of_arches: of the files on standard input, those that are not another architecture's ($arches: a pattern)
of_arches() { sed "/^arch\/${arches:-x86}\//!{/^arch\//d}"; }

# configured: of the .c files on standard input, the objects that the configuration
# builds; tools/ is not the kernel
configured() {
	of_arches | sed '/^tools\//d' | sort >$scratch/sources
	sed -n 's,/[^/]*\.c$,,p' $scratch/sources | sort -u | while read -r folder; do
		! reachable "$folder" || kbuild "$folder" objects
	done | sort -u >$scratch/objects
	sed -n 's/\.c$/.o/p' $scratch/sources | comm -12 - $scratch/objects
}

# series_sources: the .c files that the series touches and the tree has at this commit
series_sources() { git -C $LINUX diff --name-only --diff-filter=d base series -- '*.c' | present; }

# present: those on standard input that the tree has
present() { while read -r file; do [ ! -e "$work/$file" ] || echo "$file"; done; }

# includers HEADER: of the files on standard input
includers() (
	cd $work || exit
	xargs -r grep -lF "#include $1" || :
)

# touched_sources COMMIT: its .c files, and for each header that it touches the
# series' files which include that one by name
touched_sources() {
	git -C $LINUX diff --name-only --diff-filter=d "$1~" "$1" >$scratch/touched
	{
		grep '\.c$' $scratch/touched || :
		sed -n 's,^include/\(.*\.h\)$,<\1>,p; t; s,.*/\([^/]*\.h\)$,"\1",p' $scratch/touched |
			while read -r header; do
				series_sources | includers "$header"
			done
	} | sort -u
}
