// SPDX-License-Identifier: GPL-2.0-only
///
/// An entry of a scatterlist may name memory that has no struct page, see
/// Documentation/core-api/dma-pageless.rst. What maps lists for DMA takes the
/// physical address from sg_phys(), and comes to sg_page() or sg_virt() only
/// after sg_has_page(). What maintains caches for DMA gets physical addresses,
/// and comes to a page or to the linear mapping only after
/// dma_phys_is_pageless(), or with dma_sync_kaddr().
///
//# Looks at the functions of a struct dma_map_ops that take lists, at those
//# that the DMA core calls by name, at arch_sync_dma_for_device(),
//# arch_sync_dma_for_cpu() and the riscv_nonstd_cache_ops, and at what they
//# call in the same file and in the headers next to it, macros included. A call
//# that comes after a check of the entry, or of an address, is not followed.
//#
//# Patch mode rewrites what ends in a physical address, and the maintenance of
//# caches that knows the linear mapping only. The rest needs a human.
//
// Confidence: High
// Copyright: (C) 2026 pageless developers. GPLv2.
// Comments: What is handed over as struct page or as a kernel address is
//           reported where it was made of the entry, not where it is used.
// Options: --local-includes --include-headers
// Keywords: scatterlist, sg_page, sg_virt, sg_has_page, dma_map_ops
// Keywords: arch_sync_dma_for_device, arch_sync_dma_for_cpu

virtual patch
virtual context
virtual org
virtual report

@initialize:python@
@@

# What is seen of the headers stays, for each of them is read only once. What
# is seen of a .c file is forgotten at the next one.
headers, source = {}, {}
positions, told = {}, set()

def place(p):
    at = (p.file, int(p.line), int(p.column))
    positions[at] = p
    return at

def note(what, p, item):
    store = headers if p.file.endswith('.h') else source
    store.setdefault(what, set()).add(item)

def seen(what):
    return headers.get(what, set()) | source.get(what, set())

# the functions that are called from others without a check on the way
def reached(roots, checked):
    calls = {}
    for caller, callee, at in seen('call'):
        if at not in checked:
            calls.setdefault(caller, set()).add(callee)
    new, all = set(roots), set()
    while new:
        all |= new
        new = set().union(*(calls.get(name, ()) for name in new)) - all
    return all

# {place: (function, what it calls)}
def defects():
    found = {}
    for what, roots, to_page in (('entry', 'list', 'entry to page'),
                                 ('address', 'sync', 'address to page')):
        checked = seen('checked ' + what)
        functions = reached(seen(roots), checked)
        sites = seen(to_page)
        # a macro that does it is as bad as what it calls
        before = None
        while before != len(sites):
            before = len(sites)
            macros = {caller for caller, callee, at in sites
                      if caller in seen('macro') and at not in checked}
            sites |= {call for call in seen('call') if call[1] in macros}
        for caller, callee, at in sites:
            if caller in functions and at not in checked:
                found[at] = (caller, callee)
    return found

# A header's are told with the first .c file that comes to them.
def warnings():
    for at, (caller, callee) in sorted(defects().items()):
        if at not in told:
            told.add(at)
            yield (positions[at], 'WARNING: %s() takes it for granted that there '
                   'is a struct page: %s()' % (caller, callee))

// ---- Where it begins

@ops@
identifier o, f;
position p;
@@

(
  struct dma_map_ops o@p = { .map_sg = \(f\|&f\), };
|
  struct dma_map_ops o@p = { .unmap_sg = \(f\|&f\), };
|
  struct dma_map_ops o@p = { .sync_sg_for_cpu = \(f\|&f\), };
|
  struct dma_map_ops o@p = { .sync_sg_for_device = \(f\|&f\), };
)

@by_name@
position p;
@@

  \(dma_direct_map_sg@p\|dma_direct_unmap_sg@p\|
    dma_direct_sync_sg_for_cpu@p\|dma_direct_sync_sg_for_device@p\|
    iommu_dma_map_sg@p\|iommu_dma_unmap_sg@p\|
    iommu_dma_sync_sg_for_cpu@p\|iommu_dma_sync_sg_for_device@p\|
    ib_dma_virt_map_sg@p\|ppc_iommu_map_sg@p\|ppc_iommu_unmap_sg@p
  \)(...) { ... }

@cache_ops@
identifier o, f;
position p;
@@

(
  struct riscv_nonstd_cache_ops o@p = { .wback = \(f\|&f\), };
|
  struct riscv_nonstd_cache_ops o@p = { .inv = \(f\|&f\), };
|
  struct riscv_nonstd_cache_ops o@p = { .wback_inv = \(f\|&f\), };
)

@arch_sync@
position p;
@@

  \(arch_sync_dma_for_device@p\|arch_sync_dma_for_cpu@p\)(...) { ... }

// Without these dependencies every file of the tree would be looked at.

@script:python depends on ops || by_name || cache_ops || arch_sync@
@@
source.clear()

@script:python@
f << ops.f;
p << ops.p;
@@
note('list', p[0], f)

@script:python@
p << by_name.p;
@@
note('list', p[0], p[0].current_element)

@script:python@
f << cache_ops.f;
p << cache_ops.p;
@@
note('sync', p[0], f)

@script:python@
p << arch_sync.p;
@@
note('sync', p[0], p[0].current_element)

// ---- What calls what

@call depends on ops || by_name || cache_ops || arch_sync@
identifier g;
position p;
@@

  g@p(...)

@script:python@
g << call.g;
p << call.p;
@@
note('call', p[0], (p[0].current_element, g, place(p[0])))

@callback depends on ops || by_name || cache_ops || arch_sync@
identifier g, f;
position p;
@@

  g(..., f@p, ...)

@script:python@
f << callback.f;
p << callback.p;
@@
note('call', p[0], (p[0].current_element, f, place(p[0])))

@macro depends on ops || by_name || cache_ops || arch_sync@
identifier M, g;
position p;
@@

  #define M(...) <+... g@p(...) ...+>

@script:python@
M << macro.M;
g << macro.g;
p << macro.p;
@@
note('macro', p[0], M)
note('call', p[0], (M, g, place(p[0])))

// ---- What needs a page

@entry depends on ops || by_name@
identifier g = {sg_page, sg_virt};
position p;
@@

  g@p(...)

@script:python@
g << entry.g;
p << entry.p;
@@
note('entry to page', p[0], (p[0].current_element, g, place(p[0])))

@entry_in_macro depends on ops || by_name@
identifier M, g = {sg_page, sg_virt};
position p;
@@

  #define M(...) <+... g@p(...) ...+>

@script:python@
M << entry_in_macro.M;
g << entry_in_macro.g;
p << entry_in_macro.p;
@@
note('entry to page', p[0], (M, g, place(p[0])))

@entry_there_and_back depends on ops || by_name@
identifier g = {phys_to_virt, phys_to_page, pfn_to_page, pfn_to_kaddr, pfn_folio};
position p;
@@

  g@p(<+... \(sg_phys(...)\|sg_pfn(...)\) ...+>)

@script:python@
g << entry_there_and_back.g;
p << entry_there_and_back.p;
@@
note('entry to page', p[0], (p[0].current_element, g, place(p[0])))

@address depends on cache_ops || arch_sync@
identifier g = {phys_to_virt, phys_to_page, pfn_to_page, pfn_to_kaddr, pfn_folio, __va};
position p;
@@

  g@p(...)

// Without an MMU there is nothing but the linear mapping.

@script:python@
g << address.g;
p << address.p;
@@
if 'nommu' not in p[0].file:
    note('address to page', p[0], (p[0].current_element, g, place(p[0])))

// ---- What has been checked before

@entry_left depends on ops || by_name exists@
expression E, E1;
identifier g, label;
iterator name for_each_sg;
statement S;
position p;
@@

  if (\(!sg_has_page(E)\|!sg_has_page(E) || ...\)) {
    ...
(
    return ...;
|
    continue;
|
    break;
|
    goto label;
)
  }
  ... when any
      when != E = E1
      when != for_each_sg(..., E, ...) S
  g@p(..., <+... E ...+>, ...)

@script:python@
p << entry_left.p;
@@
note('checked entry', p[0], place(p[0]))

@entry_then depends on ops || by_name exists@
expression E;
identifier g;
position p;
@@

  if (\(sg_has_page(E)\|sg_has_page(E) && ...\)) {
    ... when any
    g@p(..., <+... E ...+>, ...)
    ... when any
  }

@script:python@
p << entry_then.p;
@@
note('checked entry', p[0], place(p[0]))

@entry_else depends on ops || by_name exists@
expression E;
identifier g;
statement S;
position p;
@@

  if (\(!sg_has_page(E)\|!sg_has_page(E) || ...\)) S else {
    ... when any
    g@p(..., <+... E ...+>, ...)
    ... when any
  }

@script:python@
p << entry_else.p;
@@
note('checked entry', p[0], place(p[0]))

@entry_else_if depends on ops || by_name exists@
expression E, X;
identifier g;
statement S, S1;
position p;
@@

  if (\(!sg_has_page(E)\|!sg_has_page(E) || ...\)) S else if (X) {
    ... when any
    g@p(..., <+... E ...+>, ...)
    ... when any
  } else S1

@script:python@
p << entry_else_if.p;
@@
note('checked entry', p[0], place(p[0]))

@entry_else_if_else depends on ops || by_name exists@
expression E, X;
identifier g;
statement S, S1;
position p;
@@

  if (\(!sg_has_page(E)\|!sg_has_page(E) || ...\)) S else if (X) S1 else {
    ... when any
    g@p(..., <+... E ...+>, ...)
    ... when any
  }

@script:python@
p << entry_else_if_else.p;
@@
note('checked entry', p[0], place(p[0]))

@entry_expression depends on ops || by_name@
expression E, X;
identifier g;
position p;
@@

(
  \(sg_has_page(E)\|sg_has_page(E) && ...\) && <+... g@p(..., <+... E ...+>, ...) ...+>
|
  \(!sg_has_page(E)\|!sg_has_page(E) || ...\) || <+... g@p(..., <+... E ...+>, ...) ...+>
|
  \(sg_has_page(E)\|sg_has_page(E) && ...\) ? <+... g@p(..., <+... E ...+>, ...) ...+> : X
|
  \(!sg_has_page(E)\|!sg_has_page(E) || ...\) ? X : <+... g@p(..., <+... E ...+>, ...) ...+>
)

@script:python@
p << entry_expression.p;
@@
note('checked entry', p[0], place(p[0]))

// Which address it was that got checked is not looked at: it may be a PFN
// there, and an address here.

@address_left depends on cache_ops || arch_sync exists@
identifier g;
position p;
@@

  if (\(dma_phys_is_pageless(...)\|dma_phys_is_pageless(...) || ...\|!pfn_valid(...)\|!pfn_valid(...) || ...\|!pfn_is_map_memory(...)\)) {
    ...
    return ...;
  }
  ... when any
  g@p(...)

@script:python@
p << address_left.p;
@@
note('checked address', p[0], place(p[0]))

@address_then depends on cache_ops || arch_sync exists@
identifier g;
position p;
@@

  if (\(!dma_phys_is_pageless(...)\|!dma_phys_is_pageless(...) && ...\|pfn_valid(...)\|pfn_valid(...) && ...\|pfn_is_map_memory(...)\)) {
    ... when any
    g@p(...)
    ... when any
  }

@script:python@
p << address_then.p;
@@
note('checked address', p[0], place(p[0]))

@address_else depends on cache_ops || arch_sync exists@
identifier g;
statement S;
position p;
@@

  if (\(dma_phys_is_pageless(...)\|dma_phys_is_pageless(...) || ...\|!pfn_valid(...)\|!pfn_valid(...) || ...\|!pfn_is_map_memory(...)\)) S else {
    ... when any
    g@p(...)
    ... when any
  }

@script:python@
p << address_else.p;
@@
note('checked address', p[0], place(p[0]))

// ---- What is wrong, then

@script:python depends on report && (ops || by_name || cache_ops || arch_sync)@
@@
for p, message in warnings():
    coccilib.report.print_report(p, message)

@script:python depends on org && (ops || by_name || cache_ops || arch_sync)@
@@
for p, message in warnings():
    coccilib.org.print_todo(p, message)

@script:python depends on context || patch@
p << entry.p;
@@
cocci.include_match(place(p[0]) in defects())

@script:python in_function depends on context || patch@
p << address.p;
f;
@@
cocci.include_match(place(p[0]) in defects())
coccinelle.f = p[0].current_element

@depends on context@
identifier entry.g;
position entry.p;
@@

* g@p(...)

@depends on context@
identifier address.g;
position address.p;
@@

* g@p(...)

@depends on patch@
expression E;
position entry.p;
@@

(
- __pa(sg_virt@p(E))
+ sg_phys(E)
|
- virt_to_phys(sg_virt@p(E))
+ sg_phys(E)
|
- page_to_phys(sg_page@p(E)) + E->offset
+ sg_phys(E)
|
- __pa(page_address(sg_page@p(E)) + E->offset)
+ sg_phys(E)
|
- __pa(page_address(sg_page@p(E))) + E->offset
+ sg_phys(E)
|
- page_to_phys(sg_page@p(E))
+ PFN_PHYS(sg_pfn(E))
|
- __pa(page_address(sg_page@p(E)))
+ PFN_PHYS(sg_pfn(E))
|
- page_to_pfn(sg_page@p(E))
+ sg_pfn(E)
)

@depends on patch@
identifier in_function.f, paddr, size, kaddr;
typedef phys_addr_t;
@@

  void f(phys_addr_t paddr, size_t size, ...) {
    ...
-   void *kaddr = phys_to_virt(paddr);
+   void *kaddr;
+
+   if (!dma_sync_kaddr(paddr, size, &kaddr))
+     return;
    ... when any
  }
