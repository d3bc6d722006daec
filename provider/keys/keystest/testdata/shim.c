// A library in the place of libcrypto. It passes every call to the libcrypto of the system,
// which it is linked to, and spoils the answers. The file beside it, with the same name and
// .fault, says how. Each copy of the library has its own fault and its own counters.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

static char fault[64];
static int signs, frees;

__attribute__((constructor)) static void read_fault() {
	Dl_info self;
	char name[4096];
	if (!dladdr((void *)read_fault, &self)) return;
	snprintf(name, sizeof name, "%s.fault", self.dli_fname);
	FILE *file = fopen(name, "r");
	if (file == NULL) return;
	fault[fread(fault, 1, sizeof fault - 1, file)] = 0;
	fclose(file);
}

int count_signs() { return __sync_add_and_fetch(&signs, 0); }
int count_frees() { return __sync_add_and_fetch(&frees, 0); }

static int is(const char *name) { return strcmp(fault, name) == 0; }
static void *real(const char *name) { return dlsym(dlopen(SYSTEM, RTLD_NOW), name); }

unsigned long OpenSSL_version_num() {
	if (is("OpenSSL 1.1")) return 0x1010117fL;
	if (is("OpenSSL 4")) return 0x40000000L;
	if (is("LibreSSL")) return 0x30000000L;
	return ((unsigned long (*)())real("OpenSSL_version_num"))();
}

const char *OpenSSL_version(int type) {
	if (is("OpenSSL 1.1")) return "OpenSSL 1.1.1w  11 Sep 2023";
	if (is("OpenSSL 4")) return "OpenSSL 4.0.0";
	if (is("LibreSSL")) return "LibreSSL 3.9.2";
	if (is("no version")) return NULL;
	return ((const char *(*)(int))real("OpenSSL_version"))(type);
}

int OPENSSL_init_crypto(unsigned long options, const void *settings) {
	if (is("no start")) return 0;
	return ((int (*)(unsigned long, const void *))real("OPENSSL_init_crypto"))(options, settings);
}

void *OSSL_LIB_CTX_new() { return is("no context") ? NULL : ((void *(*)())real("OSSL_LIB_CTX_new"))(); }

void *OSSL_PROVIDER_load(void *context, const char *name) {
	return is("no algorithms") ? NULL : ((void *(*)(void *, const char *))real("OSSL_PROVIDER_load"))(context, name);
}

void *EVP_sha256() { return is("no SHA-256") ? NULL : ((void *(*)())real("EVP_sha256"))(); }

void *d2i_AutoPrivateKey_ex(void **key, const unsigned char **in, long length, void *context, const char *properties) {
	if (is("no key")) return NULL;
	if (is("key is refused with a reason")) length /= 2;
	return ((void *(*)(void **, const unsigned char **, long, void *, const char *))real("d2i_AutoPrivateKey_ex"))(key, in, length, context, properties);
}

int EVP_PKEY_get_size(void *key) { return is("key of another size") ? 512 : ((int (*)(void *))real("EVP_PKEY_get_size"))(key); }

void EVP_PKEY_free(void *key) {
	((void (*)(void *))real("EVP_PKEY_free"))(key);
	__sync_add_and_fetch(&frees, 1);
}

void *EVP_PKEY_CTX_new_from_pkey(void *context, void *key, const char *properties) {
	return is("no operation") ? NULL : ((void *(*)(void *, void *, const char *))real("EVP_PKEY_CTX_new_from_pkey"))(context, key, properties);
}

int EVP_PKEY_sign_init(void *operation) { return is("no operation start") ? 0 : ((int (*)(void *))real("EVP_PKEY_sign_init"))(operation); }

int EVP_PKEY_CTX_set_rsa_padding(void *operation, int padding) {
	if (is("padding is refused")) return -1;
	if (is("padding is ignored")) return 1;
	return ((int (*)(void *, int))real("EVP_PKEY_CTX_set_rsa_padding"))(operation, padding);
}

int EVP_PKEY_CTX_set_signature_md(void *operation, const void *method) {
	if (is("hash is refused")) return 0;
	if (is("hash is ignored")) return 1;
	return ((int (*)(void *, const void *))real("EVP_PKEY_CTX_set_signature_md"))(operation, method);
}

int EVP_PKEY_CTX_set_rsa_pss_saltlen(void *operation, int length) {
	if (is("salt is ignored")) return 1;
	if (is("salt is refused")) return -2;
	return ((int (*)(void *, int))real("EVP_PKEY_CTX_set_rsa_pss_saltlen"))(operation, length);
}

int EVP_PKEY_sign(void *operation, unsigned char *signature, size_t *length, const unsigned char *hash, size_t n) {
	int (*sign)(void *, unsigned char *, size_t *, const unsigned char *, size_t) = real("EVP_PKEY_sign");
	int nth = __sync_add_and_fetch(&signs, 1);
	unsigned char other[32] = {1};
	if (is("nothing is written")) return 1;
	if (is("refusal with a reason")) *length = 16;
	int result = sign(operation, signature, length, is("another hash is signed") ? other : hash, n);
	if (is("flipped bit")) signature[100] ^= 1;
	if (is("first bit")) signature[0] ^= 0x80;
	if (is("last bit")) signature[*length - 1] ^= 1;
	if (is("50th is wrong") && nth == 50) signature[7] ^= 16;
	if (is("zeros")) memset(signature, 0, *length);
	if (is("ones")) memset(signature, 0xff, *length);
	if (is("short")) *length = 255;
	if (is("long")) *length = 4096;
	if (is("empty")) *length = 0;
	if (is("huge")) *length = (size_t)-1;
	if (is("refusal")) return 0;
	if (is("negative")) return -2;
	return result;
}
