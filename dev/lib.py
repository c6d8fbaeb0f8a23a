# SPDX-License-Identifier: GPL-2.0
"""What the Python programs of dev/ share."""
import shlex
import subprocess


def table(path):
    """The rows of a table as lib.sh reads them."""
    with open(path, encoding='utf-8') as lines:
        rows = [line.split('#')[0] for line in lines]
    return [[field.strip() for field in row.split('|')] for row in rows if '|' in row]


def run_logged(log, words, mode='w', **more):
    """Runs it; how it ended."""
    with open(log, mode, encoding='utf-8') as out:
        print('$', shlex.join(words), file=out, flush=True)
        try:
            return subprocess.run(words, stdout=out, stderr=subprocess.STDOUT,
                                  stdin=subprocess.DEVNULL, check=False, **more).returncode
        except subprocess.TimeoutExpired as timeout:
            print(timeout, file=out)
            return 1
