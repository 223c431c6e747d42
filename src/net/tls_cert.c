/*
 * net/tls_cert.c - the self-signed certificate of gateway.tls.autoGenerate:
 * X.509 v3, P-256, for this machine under all its local names.
 */
#include "net/tls.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <unistd.h>

#include "core/file.h"
#include "core/rand.h"

#define CERT_DAYS 825           /* the longest that Apple's clients accept */
#define DAY_SECONDS 86400L

CH_AUTO_DEFINE(EVP_PKEY_free, EVP_PKEY)
CH_AUTO_DEFINE(X509_free, X509)
CH_AUTO_DEFINE(X509_EXTENSION_free, X509_EXTENSION)

static void bio_free(BIO *b)
{
	BIO_free(b);
}
CH_AUTO_DEFINE(bio_free, BIO)

static ch_status fail_ssl(struct ch_err *err, const char *what)
{
	unsigned long code = ERR_peek_last_error();
	const char *reason = code ? ERR_reason_error_string(code) : NULL;

	ERR_clear_error();
	return ch_fail(err, CH_E_IO, "tls: cannot make a certificate: %s: %s", what,
		       reason ? reason : "unknown reason");
}

static bool add_extension(X509 *cert, int nid, const char *value)
{
	X509V3_CTX context;
	CH_AUTO(X509_EXTENSION_free) X509_EXTENSION *ext = NULL;

	X509V3_set_ctx(&context, cert, cert, NULL, NULL, 0);
	ext = X509V3_EXT_conf_nid(NULL, &context, nid, value);
	return ext && X509_add_ext(cert, ext, -1) == 1;
}

/* "DNS:localhost,IP:…", with the host's name when it is one that DNS allows. */
static void alternative_names(char *ret_text, size_t size)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.";
	char host[256] = "";

	if (gethostname(host, sizeof(host) - 1) || !*host || host[strspn(host, allowed)] ||
	    !strcmp(host, "localhost"))
		snprintf(ret_text, size, "DNS:localhost,IP:127.0.0.1,IP:::1");
	else
		snprintf(ret_text, size, "DNS:localhost,IP:127.0.0.1,IP:::1,DNS:%s", host);
}

static bool set_serial(X509 *cert)
{
	uint64_t serial;

	rand_bytes(&serial, sizeof(serial));
	return ASN1_INTEGER_set_uint64(X509_get_serialNumber(cert), serial >> 1 | 1) == 1;
}

static ch_status make_cert(EVP_PKEY *key, X509 **ret, struct ch_err *err)
{
	CH_AUTO(X509_free) X509 *cert = X509_new();
	X509_NAME *name = cert ? X509_get_subject_name(cert) : NULL;
	char names[512];

	if (!cert || X509_set_version(cert, X509_VERSION_3) != 1 || !set_serial(cert))
		return fail_ssl(err, "starting");
	alternative_names(names, sizeof(names));
	/* A day back: the clocks of peers differ. */
	if (!X509_gmtime_adj(X509_getm_notBefore(cert), -DAY_SECONDS) ||
	    !X509_gmtime_adj(X509_getm_notAfter(cert), (CERT_DAYS - 1) * DAY_SECONDS) ||
	    X509_set_pubkey(cert, key) != 1 ||
	    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"localhost", -1, -1,
				       0) != 1 ||
	    X509_set_issuer_name(cert, name) != 1)
		return fail_ssl(err, "filling in");
	if (!add_extension(cert, NID_basic_constraints, "critical,CA:FALSE") ||
	    !add_extension(cert, NID_key_usage, "critical,digitalSignature") ||
	    !add_extension(cert, NID_ext_key_usage, "serverAuth") ||
	    !add_extension(cert, NID_subject_alt_name, names))
		return fail_ssl(err, "adding extensions");
	if (X509_sign(cert, key, EVP_sha256()) == 0)
		return fail_ssl(err, "signing");
	*ret = CH_TAKE(cert);
	return CH_OK;
}

static ch_status put_file(const char *path, BIO *content, mode_t mode, struct ch_err *err)
{
	char *bytes;
	long n = BIO_get_mem_data(content, &bytes);

	return file_write_atomic(path, bytes, (size_t)n, mode, err);
}

ch_status tls_self_signed(const char *cert_path, const char *key_path, struct ch_err *err)
{
	CH_AUTO(EVP_PKEY_free) EVP_PKEY *key = EVP_EC_gen("P-256");
	CH_AUTO(X509_free) X509 *cert = NULL;
	CH_AUTO(bio_free) BIO *key_pem = BIO_new(BIO_s_secmem());
	CH_AUTO(bio_free) BIO *cert_pem = BIO_new(BIO_s_mem());
	ch_status st;

	if (!key || !key_pem || !cert_pem)
		return fail_ssl(err, "making a key");
	st = make_cert(key, &cert, err);
	if (st)
		return st;
	if (PEM_write_bio_PrivateKey(key_pem, key, NULL, NULL, 0, NULL, NULL) != 1 ||
	    PEM_write_bio_X509(cert_pem, cert) != 1)
		return fail_ssl(err, "writing");
	st = put_file(key_path, key_pem, 0600, err);
	if (st)
		return st;
	return put_file(cert_path, cert_pem, 0644, err);
}
