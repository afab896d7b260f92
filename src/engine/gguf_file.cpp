#include "engine/gguf_file.h"

#include <ggml.h>
#include <gguf.h>
#include <llama.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>
#include <numeric>

#include "base/fail.h"
#include "base/hash.h"
#include "engine/backend.h"
#include "engine/gguf_ptr.h"
#include "valuelens/model.h"

namespace valuelens {

namespace fs = std::filesystem;

namespace {

struct FileDeleter {
    void operator()(std::FILE * file) const { std::fclose(file); }
};
using FilePtr = std::unique_ptr<std::FILE, FileDeleter>;

FilePtr open_model(const std::string & path) {
    std::error_code ignored;
    if (fs::is_directory(path, ignored)) {
        fail(ErrorKind::model, "{}: is a folder; give a .gguf file", path);
    }
    FilePtr file(std::fopen(path.c_str(), "rb"));
    if (!file) {
        fail(ErrorKind::model, "{}: the model file cannot be read ({}); check the path, or see `valuelens models list`",
             path, std::strerror(errno));
    }
    return file;
}

GgufPtr open_header(const std::string & path) {
    const FilePtr file = open_model(path);
    std::array<char, 4> magic{};
    if (std::fread(magic.data(), 1, magic.size(), file.get()) != magic.size() ||
        std::memcmp(magic.data(), GGUF_MAGIC, magic.size()) != 0) {
        fail(ErrorKind::model,
             "{}: not a GGUF file (its first four bytes are not 'GGUF'); convert the model with llama.cpp", path);
    }
    ensure_backend();
    take_backend_errors();
    GgufPtr header(gguf_init_from_file(path.c_str(), gguf_init_params{/* no_alloc = */ true, /* ctx = */ nullptr}));
    if (!header) {
        const std::string cause = take_backend_errors();
        fail(ErrorKind::model, "{}: its GGUF header cannot be read{}; the file is truncated or damaged, fetch it again",
             path, cause.empty() ? "" : " (" + cause + ")");
    }
    return header;
}

std::uint64_t expected_size(const gguf_context * header) {
    std::uint64_t end = gguf_get_data_offset(header);
    for (std::int64_t i = 0; i < gguf_get_n_tensors(header); ++i) {
        end = std::max<std::uint64_t>(end, gguf_get_data_offset(header) + gguf_get_tensor_offset(header, i) +
                                               gguf_get_tensor_size(header, i));
    }
    return end;
}

GgufPtr open_checked(const std::string & path) {
    GgufPtr header = open_header(path);
    const std::uint64_t size = fs::file_size(path);
    const std::uint64_t expected = expected_size(header.get());
    if (size < expected) {
        fail(ErrorKind::model, "{}: truncated ({} bytes, its tensor table needs {}); fetch it again", path, size,
             expected);
    }
    return header;
}

} // namespace

std::vector<std::string> gguf_parts(const std::string & path) {
    const GgufPtr header = open_header(path);
    const std::int64_t key = gguf_find_key(header.get(), "split.count");
    const unsigned count =
        key < 0 || gguf_get_kv_type(header.get(), key) != GGUF_TYPE_UINT16 ? 1 : gguf_get_val_u16(header.get(), key);
    if (count <= 1) {
        return {path};
    }
    const std::string ending = fmt::format("-00001-of-{:05}.gguf", count);
    if (!path.ends_with(ending)) {
        fail(ErrorKind::model, "{}: one part of {}; give the first part, whose name ends in {}", path, count, ending);
    }
    const std::string stem = path.substr(0, path.size() - ending.size());
    std::vector<std::string> parts;
    for (unsigned i = 1; i <= count; ++i) {
        parts.push_back(fmt::format("{}-{:05}-of-{:05}.gguf", stem, i, count));
        if (!fs::exists(parts.back())) {
            fail(ErrorKind::model, "{}: part {} of {} is missing", parts.back(), i, count);
        }
    }
    return parts;
}

void check_gguf(const std::string & path) {
    for (const std::string & part : gguf_parts(path)) {
        open_checked(part);
    }
}

std::string model_identity(const std::string & path) {
    // Header and tensor table whole; of the data, evenly spaced blocks: cheap at each start, and enough to tell
    // two models, two quantisations or two fine-tunes apart.
    constexpr std::uint64_t block_size = 64 << 10;
    constexpr std::uint64_t n_blocks = 64;
    Sha256 hash;
    std::vector<char> block(1 << 20);
    for (const std::string & part : gguf_parts(path)) {
        const GgufPtr header = open_checked(part);
        const FilePtr file = open_model(part);
        const std::uint64_t data_begin = gguf_get_data_offset(header.get());
        const std::uint64_t size = fs::file_size(part);
        const auto add = [&](std::uint64_t offset, std::uint64_t length) {
            if (fseeko(file.get(), static_cast<off_t>(offset), SEEK_SET) != 0) {
                fail(ErrorKind::model, "{}: reading failed ({})", part, std::strerror(errno));
            }
            while (length > 0) {
                const std::size_t step = std::min<std::uint64_t>(length, block.size());
                if (std::fread(block.data(), 1, step, file.get()) != step) {
                    fail(ErrorKind::model, "{}: reading failed at byte {}", part, offset);
                }
                hash.update(block.data(), step);
                length -= step;
            }
        };
        hash.update(fmt::format("{};", size));
        add(0, data_begin);
        const std::uint64_t data_size = size - data_begin;
        if (data_size <= block_size * n_blocks) {
            add(data_begin, data_size);
        } else {
            for (std::uint64_t i = 0; i < n_blocks; ++i) {
                add(data_begin + (data_size - block_size) / (n_blocks - 1) * i, block_size);
            }
        }
    }
    return hash.hex();
}

namespace {

std::string text_of(const gguf_context * header, const std::string & key) {
    const std::int64_t id = gguf_find_key(header, key.c_str());
    return id >= 0 && gguf_get_kv_type(header, id) == GGUF_TYPE_STRING ? gguf_get_val_str(header, id) : "";
}

int number_of(const gguf_context * header, const std::string & key) {
    const std::int64_t id = gguf_find_key(header, key.c_str());
    if (id < 0) {
        return 0;
    }
    switch (gguf_get_kv_type(header, id)) {
    case GGUF_TYPE_UINT32:
        return static_cast<int>(gguf_get_val_u32(header, id));
    case GGUF_TYPE_INT32:
        return gguf_get_val_i32(header, id);
    case GGUF_TYPE_UINT64:
        return static_cast<int>(gguf_get_val_u64(header, id));
    case GGUF_TYPE_ARRAY: // one number per block: the largest
        if (gguf_get_arr_type(header, id) == GGUF_TYPE_INT32 || gguf_get_arr_type(header, id) == GGUF_TYPE_UINT32) {
            const auto * numbers = static_cast<const std::int32_t *>(gguf_get_arr_data(header, id));
            return std::accumulate(numbers, numbers + gguf_get_arr_n(header, id), 0,
                                   [](int a, int b) { return std::max(a, b); });
        }
        return 0;
    default:
        return 0;
    }
}

} // namespace

ModelInfo read_model_info(const std::string & path) {
    const std::vector<std::string> parts = gguf_parts(path);
    const GgufPtr first = open_header(parts.front());
    ModelInfo info;
    info.path = path;
    info.architecture = text_of(first.get(), "general.architecture");
    if (info.architecture.empty()) {
        fail(ErrorKind::model, "{}: has no general.architecture; it is not a language model", path);
    }
    if (info.architecture == "controlvector" || info.architecture == "imatrix" ||
        text_of(first.get(), "general.type") == "adapter") {
        fail(ErrorKind::model, "{}: holds a {}, not a language model", path,
             info.architecture == "controlvector" ? "control vector"
             : info.architecture == "imatrix"     ? "quantisation matrix"
                                                  : "LoRA adapter");
    }
    info.name = text_of(first.get(), "general.name");
    if (info.name.empty()) {
        info.name = fs::path(path).stem().string();
    }
    const std::string prefix = info.architecture + ".";
    // Blocks that predict further tokens stand behind the others and are no part of the residual stream.
    info.n_layer = std::max(0, number_of(first.get(), prefix + "block_count") -
                                   number_of(first.get(), prefix + "nextn_predict_layers"));
    info.n_embd = number_of(first.get(), prefix + "embedding_length");
    info.n_ff = number_of(first.get(), prefix + "feed_forward_length");
    info.n_expert = number_of(first.get(), prefix + "expert_count");
    info.n_ctx_train = number_of(first.get(), prefix + "context_length");
    const std::int64_t tokens = gguf_find_key(first.get(), "tokenizer.ggml.tokens");
    info.n_vocab = tokens < 0 ? 0 : static_cast<int>(gguf_get_arr_n(first.get(), tokens));
    const std::int64_t file_type = gguf_find_key(first.get(), "general.file_type");
    if (file_type >= 0 && gguf_get_kv_type(first.get(), file_type) == GGUF_TYPE_UINT32) {
        info.description = info.architecture + " " +
                           llama_ftype_name(static_cast<llama_ftype>(gguf_get_val_u32(first.get(), file_type)));
    }
    info.has_chat_template = !text_of(first.get(), "tokenizer.chat_template").empty();
    for (const std::string & part : parts) {
        const GgufPtr header = open_checked(part);
        for (std::int64_t i = 0; i < gguf_get_n_tensors(header.get()); ++i) {
            info.bytes += gguf_get_tensor_size(header.get(), i);
            const auto type = gguf_get_tensor_type(header.get(), i);
            info.parameters += gguf_get_tensor_size(header.get(), i) / ggml_type_size(type) *
                               static_cast<std::uint64_t>(ggml_blck_size(type));
        }
    }
    info.identity = model_identity(path);
    return info;
}

} // namespace valuelens
