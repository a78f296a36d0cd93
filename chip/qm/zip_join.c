/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * The walk is paid on top of the codec's time, so it only adds up lengths:
 *
 * - An entry of a table tells how many bits to skip and which table comes next.
 *   In the table of literals and lengths it covers all successive literals
 *   whose codes fit the index, and a length behind them; extra bits are skipped
 *   unseen.
 * - What is no plain step (end of block, codes longer than the index, codes that
 *   do not exist) has an entry that skips nothing and leads to its own table,
 *   so that further look-ups stay there: one branch serves three look-ups, and
 *   is nearly always foreseen.
 *
 * Behind the end the stream reads as zeros, and has failed once it goes there.
 */
#include <string.h>

#include "base/bytes.h"
#include "base/compiler.h"
#include "chip/qm/zip_join.h"

#define CODE_MAX   ZIP_JOIN_CODE_BITS_MAX
#define TABLE_BITS ZIP_JOIN_TABLE_BITS
#define TABLE_SIZE ZIP_JOIN_TABLE_SIZE

/* An entry: bits to skip, a flag, bits of the index it needs, first literal, next table's place. */
#define ENTRY_SKIP_MASK	  0xffu
#define ENTRY_RARE	  (1u << 8) /* look closer */
#define ENTRY_INDEX_SHIFT 9
#define ENTRY_INDEX_MASK  (0xfu << ENTRY_INDEX_SHIFT)
#define ENTRY_FIRST_SHIFT 13
#define ENTRY_FIRST_MASK  (0xfu << ENTRY_FIRST_SHIFT) /* bits of its code, 0: no literal */
#define ENTRY_NEXT_SHIFT  17

#define LITERALS  0u
#define DISTANCES TABLE_SIZE

/* It needs more than any index, so that it is chained to nothing. */
#define RARE_ENTRY(table) (ENTRY_RARE | CODE_MAX << ENTRY_INDEX_SHIFT | (table) << ENTRY_NEXT_SHIFT)

#define END_OF_BLOCK  256u
#define LENGTHS_END   286u
#define DISTANCES_END 30u
#define NO_SYMBOL     0xffffu

#define EXTRA_LENGTH_MAX   5
#define EXTRA_DISTANCE_MAX 13
#define LOAD_BITS	   57

/* The third index must lie within what is loaded; what it skips need not. */
_Static_assert(3 * TABLE_BITS + EXTRA_LENGTH_MAX + EXTRA_DISTANCE_MAX <= LOAD_BITS, "one load");
_Static_assert(3 * (TABLE_BITS + EXTRA_DISTANCE_MAX) <= ENTRY_SKIP_MASK, "sums stay in the field");
_Static_assert(TABLE_BITS < CODE_MAX, "rare entries are never chained");

#define MAX_LITERAL_CODES   286u
#define MAX_DISTANCE_CODES  30u
#define NR_PRECODES	    19u
#define FIXED_LITERAL_CODES 288u
#define FIXED_DISTANCES	    32u

enum block_type {
	BLOCK_STORED,
	BLOCK_FIXED,
	BLOCK_DYNAMIC
};

struct reader {
	const uint8_t *bytes;
	size_t nr_bytes;
	uint64_t at; /* bit */
};

static bool is_beyond(const struct reader *r)
{
	return r->at > (uint64_t)r->nr_bytes * 8;
}

static uint64_t load_tail(const struct reader *r, uint64_t byte)
{
	uint8_t tail[8] = { 0 };

	if (byte < r->nr_bytes)
		memcpy(tail, r->bytes + byte, base_min_u64(r->nr_bytes - byte, sizeof(tail)));
	return bytes_get_le64(tail);
}

/* At least LOAD_BITS bits from here on. */
static inline uint64_t peek(const struct reader *r)
{
	const uint64_t byte = r->at >> 3;

	if (base_unlikely(byte + 8 > r->nr_bytes))
		return load_tail(r, byte) >> (r->at & 7);
	return bytes_get_le64(r->bytes + byte) >> (r->at & 7);
}

static uint32_t take(struct reader *r, unsigned int bits)
{
	const uint32_t v = (uint32_t)peek(r) & ((1u << bits) - 1);

	r->at += bits;
	return v;
}

/* ---------------------------------------------------------------- codes */

static unsigned int extra_bits(unsigned int table, unsigned int symbol)
{
	if (table == DISTANCES)
		return symbol < 4 ? 0 : symbol / 2 - 1;
	if (symbol < END_OF_BLOCK + 9 || symbol == LENGTHS_END - 1)
		return 0;
	return (symbol - END_OF_BLOCK - 1) / 4 - 1;
}

static bool is_plain(unsigned int table, unsigned int symbol)
{
	if (table == DISTANCES)
		return symbol < DISTANCES_END;
	return symbol < LENGTHS_END && symbol != END_OF_BLOCK;
}

/*
 * False for lengths that no decoder takes: too many codes, or too few, but that
 * one code of one bit, or none, is a set of its own.
 */
static bool code_init(struct zip_join_code *c, const uint8_t *lengths, unsigned int nr)
{
	uint16_t place[CODE_MAX + 2] = { 0 };
	uint32_t next = 0;

	memset(c->count, 0, sizeof(c->count));
	for (unsigned int i = 0; i < nr; i++)
		c->count[lengths[i]]++;
	c->count[0] = 0;
	for (unsigned int bits = 1; bits <= CODE_MAX; bits++) {
		next <<= 1;
		c->delta[bits] = (int32_t)place[bits] - (int32_t)next;
		next += c->count[bits];
		if (next > 1u << bits)
			return false;
		c->limit[bits] = (uint16_t)(next << (CODE_MAX - bits));
		place[bits + 1] = (uint16_t)(place[bits] + c->count[bits]);
	}
	for (unsigned int i = 0; i < nr; i++)
		if (lengths[i])
			c->symbols[place[lengths[i]]++] = (uint16_t)i;
	if (next == 1u << CODE_MAX)
		return true;
	return !next || (next == 1u << (CODE_MAX - 1) && c->count[1]);
}

/* The symbol whose code comes first in @bits, or NO_SYMBOL. */
static unsigned int code_decode(const struct zip_join_code *c, uint64_t bits,
				unsigned int *ret_length)
{
	const uint32_t code = bytes_bitrev32((uint32_t)bits) >> (32 - CODE_MAX);

	for (unsigned int n = 1; n <= CODE_MAX; n++)
		if (code < c->limit[n]) {
			*ret_length = n;
			return c->symbols[(int32_t)(code >> (CODE_MAX - n)) + c->delta[n]];
		}
	return NO_SYMBOL;
}

/* What comes after @code of @bits bits where codes are read from their highest bit. */
static uint32_t next_reversed(uint32_t code, unsigned int bits)
{
	uint32_t bit = 1u << (bits - 1);

	for (; code & bit; bit >>= 1)
		code ^= bit;
	return code | bit;
}

static uint32_t index_bits(uint32_t entry)
{
	return (entry & ENTRY_INDEX_MASK) >> ENTRY_INDEX_SHIFT;
}

static uint32_t make_entry(unsigned int table, unsigned int symbol, unsigned int bits)
{
	const uint32_t e = (bits + extra_bits(table, symbol)) | bits << ENTRY_INDEX_SHIFT;

	if (table == DISTANCES)
		return e | LITERALS << ENTRY_NEXT_SHIFT;
	if (symbol < END_OF_BLOCK)
		return e | LITERALS << ENTRY_NEXT_SHIFT | bits << ENTRY_FIRST_SHIFT;
	return e | DISTANCES << ENTRY_NEXT_SHIFT;
}

/* Each bit more makes two of every entry, and place for the codes that end there. */
static void table_fill(uint32_t *entries, unsigned int table, const struct zip_join_code *c)
{
	const uint16_t *symbol = c->symbols;
	uint32_t code = 0;

	entries[0] = RARE_ENTRY(table);
	for (unsigned int bits = 1; bits <= TABLE_BITS; bits++) {
		const uint32_t half = 1u << (bits - 1);

		memcpy(entries + half, entries, half * sizeof(*entries));
		for (unsigned int k = 0; k < c->count[bits]; k++, symbol++) {
			if (is_plain(table, *symbol))
				entries[code] = make_entry(table, *symbol, bits);
			code = next_reversed(code, bits);
		}
	}
}

/*
 * Upwards: what follows the first literal stands lower and is a chain by now.
 * Should that need more bits than are left, its first literal alone may do.
 */
static void table_chain(uint32_t *entries)
{
	for (uint32_t i = 0; i < TABLE_SIZE; i++) {
		const uint32_t e = entries[i], used = e & ENTRY_SKIP_MASK;
		uint32_t follower, first;

		if (!(e & ENTRY_FIRST_MASK))
			continue;
		follower = entries[i >> used];
		first = (follower & ENTRY_FIRST_MASK) >> ENTRY_FIRST_SHIFT;
		if (index_bits(follower) + used <= TABLE_BITS)
			entries[i] = (follower & ~ENTRY_FIRST_MASK) + (e & ENTRY_FIRST_MASK) +
				     (used << ENTRY_INDEX_SHIFT) + used;
		else if (first && first + used <= TABLE_BITS)
			entries[i] = e + (first << ENTRY_INDEX_SHIFT) + first;
	}
}

static bool set_codes(struct zip_join *j, const uint8_t *lengths, unsigned int nr_literals,
		      unsigned int nr_distances)
{
	if (!code_init(&j->literals, lengths, nr_literals) ||
	    !code_init(&j->distances, lengths + nr_literals, nr_distances))
		return false;
	table_fill(j->entries + LITERALS, LITERALS, &j->literals);
	table_chain(j->entries + LITERALS);
	table_fill(j->entries + DISTANCES, DISTANCES, &j->distances);
	return true;
}

/* --------------------------------------------------------------- blocks */

static bool set_fixed_codes(struct zip_join *j)
{
	uint8_t lengths[FIXED_LITERAL_CODES + FIXED_DISTANCES];

	if (j->has_fixed)
		return true;
	memset(lengths, 8, 144);
	memset(lengths + 144, 9, 256 - 144);
	memset(lengths + 256, 7, 280 - 256);
	memset(lengths + 280, 8, FIXED_LITERAL_CODES - 280);
	memset(lengths + FIXED_LITERAL_CODES, 5, FIXED_DISTANCES);
	j->has_fixed = set_codes(j, lengths, FIXED_LITERAL_CODES, FIXED_DISTANCES);
	return j->has_fixed;
}

/* Code lengths of a dynamic block, themselves coded: 16 to 18 are runs. */
static bool read_lengths(struct reader *r, const struct zip_join_code *precode, uint8_t *lengths,
			 unsigned int nr)
{
	static const uint8_t run_bits[] = { 2, 3, 7 }, run_min[] = { 3, 3, 11 };
	unsigned int n = 0, bits, run;

	while (n < nr) {
		unsigned int symbol = code_decode(precode, peek(r), &bits);

		if (symbol == NO_SYMBOL)
			return false;
		r->at += bits;
		if (symbol < 16) {
			lengths[n++] = (uint8_t)symbol;
			continue;
		}
		run = run_min[symbol - 16] + take(r, run_bits[symbol - 16]);
		if (run > nr - n || (symbol == 16 && !n))
			return false;
		memset(lengths + n, symbol == 16 ? lengths[n - 1] : 0, run);
		n += run;
	}
	return true;
}

static bool read_dynamic_codes(struct zip_join *j, struct reader *r)
{
	static const uint8_t order[NR_PRECODES] = { 16, 17, 18, 0, 8,  7, 9,  6, 10, 5,
						    11, 4,  12, 3, 13, 2, 14, 1, 15 };
	uint8_t lengths[MAX_LITERAL_CODES + MAX_DISTANCE_CODES],
		precode_lengths[NR_PRECODES] = { 0 };
	const unsigned int nr_literals = 257 + take(r, 5), nr_distances = 1 + take(r, 5);
	const unsigned int nr_precodes = 4 + take(r, 4);
	struct zip_join_code precode;

	if (nr_literals > MAX_LITERAL_CODES || nr_distances > MAX_DISTANCE_CODES)
		return false;
	for (unsigned int i = 0; i < nr_precodes; i++)
		precode_lengths[order[i]] = (uint8_t)take(r, 3);
	j->has_fixed = false;
	return code_init(&precode, precode_lengths, NR_PRECODES) &&
	       read_lengths(r, &precode, lengths, nr_literals + nr_distances) &&
	       set_codes(j, lengths, nr_literals, nr_distances);
}

static bool skip_stored(struct reader *r)
{
	uint32_t n, complement;

	r->at = (r->at + 7) & ~(uint64_t)7;
	n = take(r, 16);
	complement = take(r, 16);
	r->at += (uint64_t)n * 8;
	return (n ^ complement) == 0xffff && !is_beyond(r);
}

/* One symbol that the tables do not tell; moves on in both. */
static bool skip_rare(const struct zip_join *j, struct reader *r, uint32_t *table, bool *ret_is_end)
{
	const struct zip_join_code *c = *table == LITERALS ? &j->literals : &j->distances;
	unsigned int bits, symbol = code_decode(c, peek(r), &bits);

	if (symbol == NO_SYMBOL)
		return false;
	*ret_is_end = *table == LITERALS && symbol == END_OF_BLOCK;
	if (!*ret_is_end && !is_plain(*table, symbol))
		return false;
	r->at += bits + (*ret_is_end ? 0 : extra_bits(*table, symbol));
	*table = *table == LITERALS && symbol > END_OF_BLOCK ? DISTANCES : LITERALS;
	return true;
}

static inline uint32_t look_up(const struct zip_join *j, uint32_t table, uint64_t bits)
{
	return j->entries[table + (bits & (TABLE_SIZE - 1))];
}

/* Up to and with the end-of-block code. */
static bool skip_symbols(const struct zip_join *j, struct reader *reader)
{
	struct reader r = *reader; /* in registers */
	uint32_t table = LITERALS;
	bool is_end = false;

	while (!is_end) {
		uint64_t bits = peek(&r);
		uint32_t first = look_up(j, table, bits), second, third;

		bits >>= first & 63;
		second = look_up(j, first >> ENTRY_NEXT_SHIFT, bits);
		bits >>= second & 63;
		third = look_up(j, second >> ENTRY_NEXT_SHIFT, bits);
		table = third >> ENTRY_NEXT_SHIFT;
		r.at += (first + second + third) & ENTRY_SKIP_MASK;
		if (base_unlikely(third & ENTRY_RARE) && !skip_rare(j, &r, &table, &is_end))
			return false;
		/* Only near the end may it have gone too far. */
		if (base_unlikely(is_beyond(&r)))
			return false;
	}
	*reader = r;
	return true;
}

static bool skip_block(struct zip_join *j, struct reader *r, uint32_t type)
{
	switch (type) {
	case BLOCK_STORED:
		return skip_stored(r);
	case BLOCK_FIXED:
		return set_fixed_codes(j) && skip_symbols(j, r);
	case BLOCK_DYNAMIC:
		return read_dynamic_codes(j, r) && skip_symbols(j, r);
	default:
		return false;
	}
}

/* -------------------------------------------------------------- streams */

bool zip_join_find_last(struct zip_join *j, const uint8_t *stream, size_t bytes,
			struct zip_last_block *ret_last)
{
	struct reader r = { .bytes = stream, .nr_bytes = bytes };
	uint64_t header;
	bool is_last;

	j->has_fixed = false;
	do {
		header = r.at;
		is_last = take(&r, 1);
		if (!skip_block(j, &r, take(&r, 2)))
			return false;
	} while (!is_last);
	ret_last->header = header;
	ret_last->end = r.at;
	return true;
}

size_t zip_join_reopen(struct zip_join *j, uint8_t *stream, size_t bytes)
{
	static const uint8_t empty_stored[] = { 0x00, 0x00, 0xff, 0xff };
	struct zip_last_block last;
	size_t end;

	if (!zip_join_find_last(j, stream, bytes, &last) || (last.end + 7) / 8 != bytes)
		return 0;
	stream[last.header / 8] &= (uint8_t) ~(1u << last.header % 8);
	/* The stored block's header is three zeros, and zeros up to a byte follow. */
	if (last.end % 8)
		stream[last.end / 8] &= (uint8_t)((1u << last.end % 8) - 1);
	end = (size_t)((last.end + 3 + 7) / 8);
	if (end > bytes)
		stream[bytes] = 0;
	memcpy(stream + end, empty_stored, sizeof(empty_stored));
	return end + sizeof(empty_stored);
}
