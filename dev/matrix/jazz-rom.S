/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Firmware for QEMU's magnum and pica61, which come without: as much of ARC as
 * arch/mips/fw/arc asks for, for a kernel that QEMU's loader has put where it
 * was linked.  Made by jazz-rom with
 *
 *	ENTRY		the kernel's entry
 *	CMDLINE		its arguments, a string
 *	MEMPAGES	4 KiB pages of memory that it is told about
 */
	.set	noreorder
	.text
	.globl	__start
__start:	lui	$8,0x1000
	mtc0	$8,$12
	mtc0	$0,$13
	la	$8,spb
	li	$9,0xa0001000
	li	$10,(spb_end-spb)/4
1:	lw	$11,0($8)
	sw	$11,0($9)
	addiu	$8,4
	addiu	$10,-1
	bnez	$10,1b
	addiu	$9,4
	li	$29,0xa0008000
	li	$4,2
	la	$5,argv
	la	$6,envp
	li	$7,0
	li	$25,ENTRY
	jr	$25
	nop
child:	bnez	$4,2f
	li	$2,0
	la	$2,comp
2:	jr	$31
	nop
mdesc:	bnez	$4,3f
	nop
	la	$2,md
	jr	$31
	nop
3:	lw	$3,12+8($4)
	addiu	$2,$4,12
	bnez	$3,4f
	nop
	li	$2,0
4:	jr	$31
	nop
bad:	jr	$31
	li	$2,-1
	.align	4
spb:	.word	0x53435241, spb_end-spb
	.half	1,2
	.word	0,0,0,0,rv_end-rv,0xa0001000+(rv-spb),0,0,0,0,0,0,0,0,0
rv:	.word	bad,bad,bad,bad,bad,bad,bad,bad,bad
	.word	bad,child,bad,bad,bad,bad,bad
	.word	bad,bad
	.word	mdesc,bad
	.word	bad,bad
	.word	bad,bad,bad,bad,bad,bad,bad,bad
	.word	bad,bad,bad,bad
	.word	bad,bad,bad
rv_end:
spb_end:
comp:	.word	0,0,0
	.half	1,1
	.word	0,0,0,16,mach
md:	.word	1,0,16
	.word	2,16,MEMPAGES-16
	.word	0,0,0
argv:	.word	arg0,arg1,0
envp:	.word	0
arg0:	.asciz	"vmlinux"
arg1:	.asciz	CMDLINE
mach:	.asciz	"Microsoft-Jazz"
