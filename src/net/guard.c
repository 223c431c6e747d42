/*
 * net/guard.c - which addresses an outbound connection may reach.
 *
 * Two tables of prefixes, the more specific row first, after the IANA special
 * purpose registries (RFC 6890 and successors). IPv6 forms that carry an IPv4
 * address are judged by what they carry, because a translator or a dual-stack
 * socket delivers there: mapped, compatible, SIIT, NAT64, 6to4, Teredo, ISATAP.
 * What is neither listed nor inside 2000::/3 is not global unicast: reserved.
 */
#include "net/guard.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#define V4(a, b, c, d) (((uint32_t)(a) << 24) | ((uint32_t)(b) << 16) | ((uint32_t)(c) << 8) | (uint32_t)(d))

struct range4 {
	uint32_t net;
	uint8_t bits;
	enum guard_class class;
};

static const struct range4 ranges4[] = {
	{ V4(169, 254, 169, 254), 32, GUARD_METADATA },   /* AWS, Azure, Google, OpenStack and most others */
	{ V4(169, 254, 170, 2), 32, GUARD_METADATA },     /* AWS ECS task credentials */
	{ V4(169, 254, 170, 23), 32, GUARD_METADATA },    /* AWS EKS pod identity */
	{ V4(169, 254, 42, 42), 32, GUARD_METADATA },     /* Scaleway */
	{ V4(169, 254, 0, 23), 32, GUARD_METADATA },      /* Tencent */
	{ V4(100, 100, 100, 200), 32, GUARD_METADATA },   /* Alibaba, inside CGNAT space */
	{ V4(192, 0, 0, 192), 32, GUARD_METADATA },       /* Oracle, older */
	{ V4(168, 63, 129, 16), 32, GUARD_METADATA },     /* Azure WireServer: a public number, never routed */
	{ V4(0, 0, 0, 0), 32, GUARD_LOOPBACK },           /* Linux connects it to this host */
	{ V4(0, 0, 0, 0), 8, GUARD_RESERVED },
	{ V4(10, 0, 0, 0), 8, GUARD_PRIVATE },
	{ V4(100, 64, 0, 0), 10, GUARD_PRIVATE },         /* CGNAT; tailnets live here */
	{ V4(127, 0, 0, 0), 8, GUARD_LOOPBACK },
	{ V4(169, 254, 0, 0), 16, GUARD_LINK_LOCAL },
	{ V4(172, 16, 0, 0), 12, GUARD_PRIVATE },
	{ V4(192, 0, 0, 0), 24, GUARD_RESERVED },         /* IETF protocol assignments */
	{ V4(192, 0, 2, 0), 24, GUARD_RESERVED },         /* documentation */
	{ V4(192, 31, 196, 0), 24, GUARD_RESERVED },      /* AS112 */
	{ V4(192, 52, 193, 0), 24, GUARD_RESERVED },      /* AMT */
	{ V4(192, 88, 99, 0), 24, GUARD_RESERVED },       /* 6to4 relays */
	{ V4(192, 168, 0, 0), 16, GUARD_PRIVATE },
	{ V4(192, 175, 48, 0), 24, GUARD_RESERVED },      /* AS112 */
	{ V4(198, 18, 0, 0), 15, GUARD_RESERVED },        /* benchmarks */
	{ V4(198, 51, 100, 0), 24, GUARD_RESERVED },      /* documentation */
	{ V4(203, 0, 113, 0), 24, GUARD_RESERVED },       /* documentation */
	{ V4(224, 0, 0, 0), 4, GUARD_RESERVED },          /* multicast */
	{ V4(240, 0, 0, 0), 4, GUARD_RESERVED },          /* future use, broadcast */
};

/* What is to be made of an IPv4 address inside an IPv6 one. */
enum carry {
	CARRY_NONE,
	CARRY_JUDGE,             /* it alone decides */
	CARRY_WORST,             /* the worse of it and the row's class */
	CARRY_INVERTED,          /* as WORST, its bits being inverted */
	CARRY_LOCAL_NAT64,       /* see judge_local_nat64() */
};

struct range6 {
	uint8_t net[16];
	uint8_t bits;
	enum guard_class class;          /* unused with CARRY_JUDGE */
	enum carry carry;
	uint8_t at;                      /* offset of the IPv4 address carried */
};

static const struct range6 ranges6[] = {
	{ { 0xfd, 0x00, 0x0e, 0xc2, [15] = 0x54, [14] = 0x02 }, 128, GUARD_METADATA },   /* AWS */
	{ { 0xfd, 0x00, 0x0e, 0xc2, [15] = 0x23 }, 128, GUARD_METADATA },                /* AWS EKS pod identity */
	{ { 0xfd, 0x20, 0x00, 0xce, [15] = 0x54, [14] = 0x02 }, 128, GUARD_METADATA },   /* Google */
	{ { 0xfd, 0x00, 0x00, 0x42, [15] = 0x42 }, 128, GUARD_METADATA },                /* Scaleway */
	{ { 0xfe, 0x80, [12] = 0xa9, 0xfe, 0xa9, 0xfe }, 128, GUARD_METADATA },          /* OpenStack */
	{ { 0 }, 128, GUARD_LOOPBACK },                                      /* :: connects to this host */
	{ { [15] = 1 }, 128, GUARD_LOOPBACK },
	{ { 0 }, 96, GUARD_RESERVED, CARRY_WORST, 12 },                      /* IPv4-compatible */
	{ { [10] = 0xff, 0xff }, 96, GUARD_PUBLIC, CARRY_JUDGE, 12 },        /* IPv4-mapped */
	{ { [8] = 0xff, 0xff }, 96, GUARD_PUBLIC, CARRY_JUDGE, 12 },         /* SIIT */
	{ { 0x00, 0x64, 0xff, 0x9b }, 96, GUARD_PUBLIC, CARRY_JUDGE, 12 },   /* NAT64 */
	{ { 0x00, 0x64, 0xff, 0x9b, 0x00, 0x01 }, 48, GUARD_RESERVED, CARRY_LOCAL_NAT64 },
	{ { 0x01, 0x00 }, 64, GUARD_RESERVED },                              /* discard */
	{ { 0x20, 0x01, 0x00, 0x00 }, 32, GUARD_RESERVED, CARRY_INVERTED, 12 }, /* Teredo */
	{ { 0x20, 0x01, 0x00, 0x00 }, 23, GUARD_RESERVED },                  /* IETF protocol assignments */
	{ { 0x20, 0x01, 0x0d, 0xb8 }, 32, GUARD_RESERVED },                  /* documentation */
	{ { 0x20, 0x02 }, 16, GUARD_PUBLIC, CARRY_JUDGE, 2 },                /* 6to4 */
	{ { 0x3f, 0xff, 0x00 }, 20, GUARD_RESERVED },                        /* documentation */
	{ { 0xfc, 0x00 }, 7, GUARD_PRIVATE },                                /* unique local */
	{ { 0xfe, 0x80 }, 10, GUARD_LINK_LOCAL },
	{ { 0xfe, 0xc0 }, 10, GUARD_PRIVATE },                               /* site-local, deprecated */
	{ { 0xff, 0x00 }, 8, GUARD_RESERVED },                               /* multicast */
	{ { 0x20, 0x00 }, 3, GUARD_PUBLIC },                                 /* global unicast */
};

static enum guard_class classify4(uint32_t ip)
{
	for (size_t i = 0; i < CH_ARRAY_LEN(ranges4); i++) {
		const struct range4 *r = &ranges4[i];
		uint32_t mask = UINT32_MAX << (32 - r->bits);

		if ((ip & mask) == r->net)
			return r->class;
	}
	return GUARD_PUBLIC;
}

static uint32_t load4(const uint8_t *p)
{
	return V4(p[0], p[1], p[2], p[3]);
}

/* The one that is denied by more policies; a public part never redeems another. */
static enum guard_class worse(enum guard_class a, enum guard_class b)
{
	static const uint8_t rank[] = {
		[GUARD_PUBLIC] = 0,  [GUARD_RESERVED] = 1,   [GUARD_PRIVATE] = 2,
		[GUARD_LOOPBACK] = 3, [GUARD_LINK_LOCAL] = 4, [GUARD_METADATA] = 5,
	};

	return rank[a] >= rank[b] ? a : b;
}

/*
 * 64:ff9b:1::/48 (RFC 8215): the site chose a prefix of 48, 56, 64 or 96 bits
 * and we cannot know which; RFC 6052 2.2 leaves out byte 8.
 */
static enum guard_class judge_local_nat64(const uint8_t b[16])
{
	enum guard_class c = GUARD_RESERVED;

	c = worse(c, classify4(V4(b[6], b[7], b[9], b[10])));
	c = worse(c, classify4(V4(b[7], b[9], b[10], b[11])));
	c = worse(c, classify4(V4(b[9], b[10], b[11], b[12])));
	return worse(c, classify4(load4(b + 12)));
}

static bool prefix_match(const uint8_t ip[16], const struct range6 *r)
{
	size_t whole = r->bits / 8;
	uint8_t mask = (uint8_t)(0xff00 >> (r->bits % 8));

	if (memcmp(ip, r->net, whole) != 0)
		return false;
	return r->bits % 8 == 0 || (ip[whole] & mask) == (r->net[whole] & mask);
}

static enum guard_class judge_range(const uint8_t ip[16], const struct range6 *r)
{
	switch (r->carry) {
	case CARRY_JUDGE: return classify4(load4(ip + r->at));
	case CARRY_WORST: return worse(r->class, classify4(load4(ip + r->at)));
	case CARRY_INVERTED: return worse(r->class, classify4(~load4(ip + r->at)));
	case CARRY_LOCAL_NAT64: return judge_local_nat64(ip);
	case CARRY_NONE: break;
	}
	return r->class;
}

static enum guard_class classify6(const uint8_t ip[16])
{
	enum guard_class c = GUARD_RESERVED;
	bool is_isatap = (ip[8] & 0xfd) == 0 && ip[9] == 0 && ip[10] == 0x5e && ip[11] == 0xfe;

	for (size_t i = 0; i < CH_ARRAY_LEN(ranges6); i++) {
		if (prefix_match(ip, &ranges6[i])) {
			c = judge_range(ip, &ranges6[i]);
			break;
		}
	}
	return is_isatap ? worse(c, classify4(load4(ip + 12))) : c;
}

enum guard_class guard_classify(const struct sockaddr *addr)
{
	if (addr->sa_family == AF_INET) {
		struct sockaddr_in in;

		memcpy(&in, addr, sizeof(in));
		return classify4(ntohl(in.sin_addr.s_addr));
	}
	if (addr->sa_family == AF_INET6) {
		struct sockaddr_in6 in6;

		memcpy(&in6, addr, sizeof(in6));
		return classify6(in6.sin6_addr.s6_addr);
	}
	return GUARD_RESERVED;
}

bool guard_allows(enum guard_policy policy, const struct sockaddr *addr)
{
	enum guard_class c;

	if (addr->sa_family != AF_INET && addr->sa_family != AF_INET6)
		return false;
	c = guard_classify(addr);
	switch (policy) {
	case GUARD_PUBLIC_ONLY: return c == GUARD_PUBLIC;
	case GUARD_TRUST_ORIGIN: return c != GUARD_METADATA && c != GUARD_LINK_LOCAL;
	case GUARD_CLOUD_METADATA: return c == GUARD_METADATA;
	}
	return false;
}

const char *guard_class_name(enum guard_class c)
{
	static const char *const names[] = {
		[GUARD_PUBLIC] = "public",     [GUARD_PRIVATE] = "private",   [GUARD_LOOPBACK] = "loopback",
		[GUARD_LINK_LOCAL] = "link-local", [GUARD_METADATA] = "metadata", [GUARD_RESERVED] = "reserved",
	};

	return names[c];
}
