#include "base/hash.h"

#include <openssl/evp.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <vector>

#include "base/fail.h"

namespace valuelens {

struct Sha256::State {
    EVP_MD_CTX * context = EVP_MD_CTX_new();
    ~State() { EVP_MD_CTX_free(context); }
};

Sha256::Sha256() : state_(std::make_unique<State>()) {
    if (state_->context == nullptr || EVP_DigestInit_ex(state_->context, EVP_sha256(), nullptr) != 1) {
        fail(ErrorKind::internal, "SHA-256 is not available in this OpenSSL");
    }
}

Sha256::~Sha256() = default;

void Sha256::update(const void * data, std::size_t size) {
    EVP_DigestUpdate(state_->context, data, size);
}

std::string Sha256::hex() {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned int length = 0;
    EVP_DigestFinal_ex(state_->context, digest.data(), &length);
    static constexpr char digits[] = "0123456789abcdef";
    std::string text;
    text.reserve(2 * length);
    for (unsigned int i = 0; i < length; ++i) {
        text.push_back(digits[digest[i] >> 4]);
        text.push_back(digits[digest[i] & 15]);
    }
    return text;
}

std::string sha256_hex(std::string_view text) {
    Sha256 hash;
    hash.update(text);
    return hash.hex();
}

std::string sha256_file(const std::filesystem::path & path) {
    std::unique_ptr<std::FILE, int (*)(std::FILE *)> file(std::fopen(path.c_str(), "rb"), &std::fclose);
    if (!file) {
        fail(ErrorKind::bad_input, "{}: cannot be read ({})", path.string(), std::strerror(errno));
    }
    Sha256 hash;
    std::vector<char> block(1 << 20);
    std::size_t read = 0;
    while ((read = std::fread(block.data(), 1, block.size(), file.get())) > 0) {
        hash.update(block.data(), read);
    }
    if (std::ferror(file.get()) != 0) {
        fail(ErrorKind::bad_input, "{}: reading failed ({})", path.string(), std::strerror(errno));
    }
    return hash.hex();
}

} // namespace valuelens
