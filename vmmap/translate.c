/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * From an address to a frame or a fault: the hot path and nothing else.
 */
#include "space.h"

/* Addresses of a batch that go together. */
#define GROUP 64u

_Static_assert(VMMAP_PROT_WRITE == VMMAP_WRITE && VMMAP_DIRTY == VMMAP_WRITE,
	       "want_of() uses that");

/* Bits move, nothing is decided: this comes before each translation. */
static inline struct vmmap_want want_of(uint32_t access)
{
	uint32_t write = access & VMMAP_WRITE, marks = !(access & VMMAP_PEEK);

	return (struct vmmap_want){
		.need = (uint8_t)(VMMAP_PROT_READ | write |
				  (access & VMMAP_USER) * (VMMAP_PROT_USER / VMMAP_USER) |
				  (access & VMMAP_FETCH) / (VMMAP_FETCH / VMMAP_PROT_EXEC)),
		.deny = (uint8_t)(VMMAP_PROT_RESERVED | write * (VMMAP_PROT_COW / VMMAP_WRITE)),
		.mark = (uint8_t)((VMMAP_ACCESSED | write) * marks),
	};
}

/* As the processor decides: reserved bits before permissions; a write that copying would allow is told apart. */
static __attribute__((noinline)) struct vmmap_fault fault_of(uint64_t word, struct vmmap_want want,
							     uint32_t access)
{
	uint32_t code = access & (VMMAP_WRITE | VMMAP_USER | VMMAP_FETCH);
	uint8_t prot = VMMAP_WORD_PROT(word);

	if (!prot)
		return (struct vmmap_fault){ VMMAP_FAULT_NOT_PRESENT, code };
	code |= VMMAP_PRESENT;
	if (prot & VMMAP_PROT_RESERVED)
		return (struct vmmap_fault){ VMMAP_FAULT_RESERVED, code | VMMAP_RSVD };
	if ((prot & want.need) != want.need)
		return (struct vmmap_fault){ VMMAP_FAULT_PERMISSION, code };
	return (struct vmmap_fault){ VMMAP_FAULT_COW, code };
}

static inline int answer_of(uint64_t word, vmmap_va_t va, struct vmmap_want want, uint32_t access,
			    struct vmmap_answer *a)
{
	a->shift = VMMAP_WORD_SHIFT(word);
	a->prot = VMMAP_WORD_PROT(word);
	if (__builtin_expect(vmmap_want_served(want, word), 1)) {
		a->pa = VMMAP_WORD_PFN(word) << VMMAP_PAGE_SHIFT | va % VMMAP_PAGE_BYTES;
		a->fault = (struct vmmap_fault){ VMMAP_FAULT_NONE, 0 };
		return 0;
	}
	a->pa = 0;
	a->fault = fault_of(word, want, access);
	return -EFAULT;
}

static __attribute__((noinline)) int no_such_address(struct vmmap_answer *a)
{
	*a = (struct vmmap_answer){ .fault = { VMMAP_FAULT_NONCANONICAL, 0 } };
	return -EFAULT;
}

int vmmap_translate(struct vmmap_space *s, vmmap_va_t va, uint32_t access, struct vmmap_answer *a)
{
	struct vmmap_want want = want_of(access);

	if (__builtin_expect(!space_canonical(s, va), 0))
		return no_such_address(a);
	return answer_of(s->backend->translate(s->table, space_vpn(s, va), want), va, want, access,
			 a);
}

static int64_t translate_group(struct vmmap_space *s, const vmmap_va_t *vas, size_t n,
			       uint32_t access, struct vmmap_answer *answers)
{
	struct vmmap_want want = want_of(access);
	uint64_t words[GROUP];
	vmmap_vpn_t vpns[GROUP];
	int64_t served = 0;
	size_t at = 0;

	do { /* n > 0 */
		vpns[at] = space_vpn(s, vas[at]);
	} while (++at < n);
	if (s->backend->translate_batch)
		s->backend->translate_batch(s->table, vpns, n, want, words);
	else
		for (size_t i = 0; i < n; i++)
			words[i] = s->backend->translate(s->table, vpns[i], want);
	for (size_t i = 0; i < n; i++)
		served += !answer_of(words[i], vas[i], want, access, &answers[i]);
	return served;
}

int64_t vmmap_translate_batch(struct vmmap_space *s, const vmmap_va_t *vas, size_t n,
			      uint32_t access, struct vmmap_answer *answers)
{
	int64_t served = 0;

	for (size_t at = 0, len; at < n; at += len) {
		size_t most = n - at < GROUP ? n - at : GROUP;

		/* An address that does not exist ends a group: its page number would be another's. */
		for (len = 0; len < most && space_canonical(s, vas[at + len]); len++)
			;
		if (!len) {
			no_such_address(&answers[at]);
			len = 1;
			continue;
		}
		served += translate_group(s, vas + at, len, access, answers + at);
	}
	return served;
}

/* ---- Ranges --------------------------------------------------------------------------------------- */

/* @p grows by the pieces behind it, inside its half. */
static void extend_up(const struct vmmap_space *s, struct vmmap_piece *p)
{
	vmmap_vpn_t end = p->vpn < space_vpn_half(s) ? space_vpn_half(s) : space_vpn_end(s);
	struct vmmap_piece next;

	while (p->vpn + p->pages < end &&
	       s->backend->lookup(s->table, p->vpn + p->pages, &next) == 0) {
		vmmap_vpn_t from = p->vpn + p->pages, last = next.vpn + next.pages;

		if (from < next.vpn || from >= last) /* the mutator was faster */
			return;
		next.pfn += from - next.vpn;
		next.vpn = from;
		next.pages = last - from;
		if (!piece_continues(p, &next))
			return;
		p->pages += next.pages;
	}
}

static void extend_down(const struct vmmap_space *s, struct vmmap_piece *p)
{
	vmmap_vpn_t begin = p->vpn < space_vpn_half(s) ? 0 : space_vpn_half(s);
	struct vmmap_piece prev;

	while (p->vpn > begin && s->backend->lookup(s->table, p->vpn - 1, &prev) == 0) {
		if (prev.vpn >= p->vpn)
			return;
		prev.pages = p->vpn - prev.vpn;
		if (!piece_continues(&prev, p))
			return;
		p->vpn = prev.vpn;
		p->pfn = prev.pfn;
		p->pages += prev.pages;
	}
}

/* Pieces of backends may cross the border of the halves; extents do not. */
static void clip_to_half(const struct vmmap_space *s, vmmap_vpn_t vpn, struct vmmap_piece *p)
{
	uint64_t half = space_vpn_half(s);

	if (vpn >= half && p->vpn < half) {
		p->pfn += half - p->vpn;
		p->pages -= half - p->vpn;
		p->vpn = half;
	} else if (vpn < half && p->vpn + p->pages > half) {
		p->pages = half - p->vpn;
	}
}

int vmmap_translate_range(struct vmmap_space *s, vmmap_va_t va, uint32_t access,
			  struct vmmap_extent *extent, struct vmmap_fault *fault)
{
	struct vmmap_answer a;
	struct vmmap_piece p;
	vmmap_vpn_t vpn;
	int err = vmmap_translate(s, va, access, &a);

	if (err) {
		if (fault)
			*fault = a.fault;
		return err;
	}
	vpn = space_vpn(s, va);
	if (s->backend->lookup(s->table, vpn, &p)) { /* gone since */
		if (fault)
			*fault = fault_of(0, want_of(access), access);
		return -EFAULT;
	}
	clip_to_half(s, vpn, &p);
	extend_up(s, &p);
	extend_down(s, &p);
	*extent = (struct vmmap_extent){ .va = space_va(s, p.vpn),
					 .pages = p.pages,
					 .pfn = p.pfn,
					 .prot = p.prot,
					 .shift = p.shift };
	return 0;
}
