# SPDX-License-Identifier: GPL-2.0
# The machine of a row of 'machines' for kunit.py --qemu_config. Everything is worked
# out by dev/matrix/run, which leaves it in the file that MATRIX_MACHINE names.
import json
import os

from ..qemu_config import QemuArchParams

with open(os.environ['MATRIX_MACHINE'], encoding='utf-8') as machine:
	QEMU_ARCH = QemuArchParams(**json.load(machine))
