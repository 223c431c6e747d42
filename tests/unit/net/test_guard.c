/* net/guard: every special range, its edges, and IPv4 hidden in IPv6. */
#include "net/guard.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/un.h>

#include <cmocka.h>

#include "core/str.h"

static void to_sockaddr(const char *text, struct sockaddr_storage *ret_addr)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(80) };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(80) };

	memset(ret_addr, 0, sizeof(*ret_addr));
	if (inet_pton(AF_INET, text, &in.sin_addr) == 1)
		memcpy(ret_addr, &in, sizeof(in));
	else if (inet_pton(AF_INET6, text, &in6.sin6_addr) == 1)
		memcpy(ret_addr, &in6, sizeof(in6));
	else
		fail_msg("not an address: %s", text);
}

static const struct {
	const char *addr;
	enum guard_class class;
} table[] = {
	{ "1.1.1.1", GUARD_PUBLIC },
	{ "8.8.8.8", GUARD_PUBLIC },
	{ "223.255.255.255", GUARD_PUBLIC },
	{ "0.0.0.0", GUARD_LOOPBACK },
	{ "0.0.0.1", GUARD_RESERVED },
	{ "0.255.255.255", GUARD_RESERVED },
	{ "1.0.0.0", GUARD_PUBLIC },
	{ "9.255.255.255", GUARD_PUBLIC },
	{ "10.0.0.0", GUARD_PRIVATE },
	{ "10.255.255.255", GUARD_PRIVATE },
	{ "11.0.0.0", GUARD_PUBLIC },
	{ "100.63.255.255", GUARD_PUBLIC },
	{ "100.64.0.0", GUARD_PRIVATE },
	{ "100.100.100.200", GUARD_METADATA },
	{ "100.127.255.255", GUARD_PRIVATE },
	{ "100.128.0.0", GUARD_PUBLIC },
	{ "126.255.255.255", GUARD_PUBLIC },
	{ "127.0.0.1", GUARD_LOOPBACK },
	{ "127.255.255.255", GUARD_LOOPBACK },
	{ "128.0.0.0", GUARD_PUBLIC },
	{ "168.63.129.16", GUARD_METADATA },
	{ "168.63.129.17", GUARD_PUBLIC },
	{ "169.253.255.255", GUARD_PUBLIC },
	{ "169.254.0.1", GUARD_LINK_LOCAL },
	{ "169.254.0.23", GUARD_METADATA },
	{ "169.254.42.42", GUARD_METADATA },
	{ "169.254.169.253", GUARD_LINK_LOCAL },
	{ "169.254.169.254", GUARD_METADATA },
	{ "169.254.170.2", GUARD_METADATA },
	{ "169.254.170.23", GUARD_METADATA },
	{ "169.254.255.255", GUARD_LINK_LOCAL },
	{ "169.255.0.0", GUARD_PUBLIC },
	{ "172.15.255.255", GUARD_PUBLIC },
	{ "172.16.0.0", GUARD_PRIVATE },
	{ "172.31.255.255", GUARD_PRIVATE },
	{ "172.32.0.0", GUARD_PUBLIC },
	{ "192.0.0.0", GUARD_RESERVED },
	{ "192.0.0.192", GUARD_METADATA },
	{ "192.0.1.0", GUARD_PUBLIC },
	{ "192.0.2.7", GUARD_RESERVED },
	{ "192.31.196.1", GUARD_RESERVED },
	{ "192.52.193.1", GUARD_RESERVED },
	{ "192.88.99.1", GUARD_RESERVED },
	{ "192.167.255.255", GUARD_PUBLIC },
	{ "192.168.0.0", GUARD_PRIVATE },
	{ "192.168.255.255", GUARD_PRIVATE },
	{ "192.169.0.0", GUARD_PUBLIC },
	{ "192.175.48.6", GUARD_RESERVED },
	{ "198.17.255.255", GUARD_PUBLIC },
	{ "198.18.0.0", GUARD_RESERVED },
	{ "198.19.255.255", GUARD_RESERVED },
	{ "198.20.0.0", GUARD_PUBLIC },
	{ "198.51.100.1", GUARD_RESERVED },
	{ "203.0.113.1", GUARD_RESERVED },
	{ "224.0.0.251", GUARD_RESERVED },
	{ "239.255.255.250", GUARD_RESERVED },
	{ "240.0.0.1", GUARD_RESERVED },
	{ "255.255.255.255", GUARD_RESERVED },
	/* IPv6 proper. */
	{ "2606:4700:4700::1111", GUARD_PUBLIC },
	{ "2a00:1450::1", GUARD_PUBLIC },
	{ "3ffe::1", GUARD_PUBLIC },
	{ "::", GUARD_LOOPBACK },
	{ "::1", GUARD_LOOPBACK },
	{ "100::1", GUARD_RESERVED },
	{ "2001:0:1::", GUARD_RESERVED },
	{ "2001:10::1", GUARD_RESERVED },
	{ "2001:1ff:ffff::1", GUARD_RESERVED },
	{ "2001:200::1", GUARD_PUBLIC },
	{ "2001:db8::1", GUARD_RESERVED },
	{ "3fff:fff::1", GUARD_RESERVED },
	{ "3fff:1000::1", GUARD_PUBLIC },
	{ "4000::1", GUARD_RESERVED },
	{ "5f00::1", GUARD_RESERVED },
	{ "fbff::1", GUARD_RESERVED },
	{ "fc00::1", GUARD_PRIVATE },
	{ "fd12:3456::1", GUARD_PRIVATE },
	{ "fd00:ec2::254", GUARD_METADATA },
	{ "fd00:ec2::23", GUARD_METADATA },
	{ "fd00:ec2::255", GUARD_PRIVATE },
	{ "fd20:ce::254", GUARD_METADATA },
	{ "fd00:42::42", GUARD_METADATA },
	{ "fe80::1", GUARD_LINK_LOCAL },
	{ "fe80::a9fe:a9fe", GUARD_METADATA },
	{ "febf::1", GUARD_LINK_LOCAL },
	{ "fec0::1", GUARD_PRIVATE },
	{ "ff02::1", GUARD_RESERVED },
	{ "ff0e::1", GUARD_RESERVED },
	/* IPv4 inside IPv6. */
	{ "::ffff:1.1.1.1", GUARD_PUBLIC },
	{ "::ffff:127.0.0.1", GUARD_LOOPBACK },
	{ "::ffff:10.1.2.3", GUARD_PRIVATE },
	{ "::ffff:169.254.169.254", GUARD_METADATA },
	{ "::ffff:0:127.0.0.1", GUARD_LOOPBACK },
	{ "::ffff:0:8.8.8.8", GUARD_PUBLIC },
	{ "::127.0.0.1", GUARD_LOOPBACK },
	{ "::8.8.8.8", GUARD_RESERVED },
	{ "::a9fe:a9fe", GUARD_METADATA },
	{ "64:ff9b::1.1.1.1", GUARD_PUBLIC },
	{ "64:ff9b::192.168.1.1", GUARD_PRIVATE },
	{ "64:ff9b::169.254.169.254", GUARD_METADATA },
	{ "64:ff9b:0:0:0:1:808:808", GUARD_RESERVED },
	{ "64:ff9b:1::8.8.8.8", GUARD_LOOPBACK },           /* the /48 reading is 0.0.0.0 */
	{ "64:ff9b:1:808:8:800::", GUARD_LOOPBACK },
	{ "64:ff9b:1::a9fe:a9fe", GUARD_METADATA },
	{ "64:ff9b:1:a9fe:a9:fe00::", GUARD_METADATA },     /* /48 */
	{ "64:ff9b:1:a9:fe:a9fe::", GUARD_METADATA },       /* /56 */
	{ "64:ff9b:1:0:a9:fea9:fe00:0", GUARD_METADATA },   /* /64 */
	{ "2002:101:101::1", GUARD_PUBLIC },
	{ "2002:7f00:1::1", GUARD_LOOPBACK },
	{ "2002:c0a8:101::1", GUARD_PRIVATE },
	{ "2002:a9fe:a9fe::1", GUARD_METADATA },
	{ "2001::5601:5601", GUARD_METADATA },              /* Teredo of 169.254.169.254 */
	{ "2001::f7f7:f7f7", GUARD_RESERVED },              /* Teredo of 8.8.8.8 */
	{ "2606:4700::5efe:10.0.0.1", GUARD_PRIVATE },      /* ISATAP */
	{ "2606:4700::200:5efe:169.254.169.254", GUARD_METADATA },
	{ "2606:4700::5efe:8.8.8.8", GUARD_PUBLIC },
};

static void test_table(void **state)
{
	for (size_t i = 0; i < CH_ARRAY_LEN(table); i++) {
		struct sockaddr_storage ss;
		enum guard_class got;

		to_sockaddr(table[i].addr, &ss);
		got = guard_classify((struct sockaddr *)&ss);
		if (got != table[i].class)
			fail_msg("%s: %s, expected %s", table[i].addr, guard_class_name(got),
				 guard_class_name(table[i].class));
	}
}

static void test_policies(void **state)
{
	for (size_t i = 0; i < CH_ARRAY_LEN(table); i++) {
		struct sockaddr_storage ss;
		const struct sockaddr *sa = (const struct sockaddr *)&ss;
		enum guard_class c = table[i].class;

		to_sockaddr(table[i].addr, &ss);
		assert_int_equal(guard_allows(GUARD_PUBLIC_ONLY, sa), c == GUARD_PUBLIC);
		assert_int_equal(guard_allows(GUARD_TRUST_ORIGIN, sa), c != GUARD_METADATA && c != GUARD_LINK_LOCAL);
		assert_int_equal(guard_allows(GUARD_CLOUD_METADATA, sa), c == GUARD_METADATA);
	}
}

/* Every IPv4 address judges the same alone, mapped, through NAT64 and 6to4. */
static void test_embedding_is_consistent(void **state)
{
	for (uint32_t i = 0; i < 200000; i++) {
		uint32_t ip = i * 21475u + 7u;
		uint8_t b[4] = { ip >> 24, (ip >> 16) & 0xff, (ip >> 8) & 0xff, ip & 0xff };
		struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(ip) };
		struct sockaddr_in6 mapped = { .sin6_family = AF_INET6 };
		struct sockaddr_in6 nat64 = mapped, six_to_four = mapped;
		enum guard_class c = guard_classify((struct sockaddr *)&in);

		memset(mapped.sin6_addr.s6_addr + 10, 0xff, 2);
		memcpy(mapped.sin6_addr.s6_addr + 12, b, 4);
		memcpy(nat64.sin6_addr.s6_addr, "\x00\x64\xff\x9b", 4);
		memcpy(nat64.sin6_addr.s6_addr + 12, b, 4);
		memcpy(six_to_four.sin6_addr.s6_addr, "\x20\x02", 2);
		memcpy(six_to_four.sin6_addr.s6_addr + 2, b, 4);
		assert_int_equal(guard_classify((struct sockaddr *)&mapped), c);
		assert_int_equal(guard_classify((struct sockaddr *)&nat64), c);
		assert_int_equal(guard_classify((struct sockaddr *)&six_to_four), c);
	}
}

static void test_other_families(void **state)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX, .sun_path = "/run/x" };

	assert_int_equal(guard_classify((struct sockaddr *)&un), GUARD_RESERVED);
	assert_false(guard_allows(GUARD_PUBLIC_ONLY, (struct sockaddr *)&un));
	assert_false(guard_allows(GUARD_TRUST_ORIGIN, (struct sockaddr *)&un));
}

static void test_names(void **state)
{
	assert_string_equal(guard_class_name(GUARD_PUBLIC), "public");
	assert_string_equal(guard_class_name(GUARD_PRIVATE), "private");
	assert_string_equal(guard_class_name(GUARD_LOOPBACK), "loopback");
	assert_string_equal(guard_class_name(GUARD_LINK_LOCAL), "link-local");
	assert_string_equal(guard_class_name(GUARD_METADATA), "metadata");
	assert_string_equal(guard_class_name(GUARD_RESERVED), "reserved");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_policies),
		cmocka_unit_test(test_embedding_is_consistent),
		cmocka_unit_test(test_other_families),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
