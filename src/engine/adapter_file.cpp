#include "engine/adapter_file.h"

#include <ggml.h>
#include <gguf.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <fstream>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "base/fail.h"
#include "base/file.h"
#include "engine/backend.h"
#include "engine/gguf_ptr.h"

namespace valuelens {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view direction_prefix = "direction.";

/// Collects entries and tensors of a small GGUF file, then writes it in one go.
class GgufBuilder {
public:
    explicit GgufBuilder(std::size_t n_tensors) : header_(gguf_init_empty()) {
        ensure_backend();
        shapes_.reset(ggml_init({(n_tensors + 1) * ggml_tensor_overhead(), nullptr, /* no_alloc = */ true}));
    }

    gguf_context * header() { return header_.get(); }

    void text(const std::string & key, const std::string & value) {
        gguf_set_val_str(header_.get(), key.c_str(), value.c_str());
    }
    void texts(const std::map<std::string, std::string> & entries) {
        for (const auto & [key, value] : entries) {
            text(key, value);
        }
    }

    /// `values` must live until write(). The contiguous dimension first.
    void tensor(const std::string & name, const std::vector<std::size_t> & sizes, std::span<const float> values) {
        std::array<std::int64_t, GGML_MAX_DIMS> ne{1, 1, 1, 1};
        std::transform(sizes.begin(), sizes.end(), ne.begin(),
                       [](std::size_t n) { return static_cast<std::int64_t>(n); });
        ggml_tensor * shape = ggml_new_tensor(shapes_.get(), GGML_TYPE_F32, static_cast<int>(sizes.size()), ne.data());
        if (name.size() >= GGML_MAX_NAME || values.size() != static_cast<std::size_t>(ggml_nelements(shape))) {
            fail(ErrorKind::internal, "tensor '{}' of {} numbers cannot be written", name, values.size());
        }
        ggml_set_name(shape, name.c_str());
        gguf_add_tensor(header_.get(), shape);
        data_.push_back(values);
    }

    void write(const fs::path & path) {
        AtomicFile file(path);
        std::vector<char> meta(gguf_get_meta_size(header_.get()));
        gguf_get_meta_data(header_.get(), meta.data());
        file.write(meta.data(), meta.size());
        const std::string zeros(gguf_get_alignment(header_.get()), '\0');
        for (const std::span<const float> values : data_) {
            file.write(values.data(), values.size_bytes());
            file.write(zeros.data(), (zeros.size() - file.size() % zeros.size()) % zeros.size());
        }
        file.commit();
    }

private:
    GgufPtr header_;
    GgmlPtr shapes_;
    std::vector<std::span<const float>> data_;
};

GgufPtr open_header(const fs::path & path) {
    std::array<char, 4> magic{};
    std::ifstream file(path, std::ios::binary);
    if (!file || !file.read(magic.data(), magic.size()) || std::memcmp(magic.data(), GGUF_MAGIC, magic.size()) != 0) {
        fail(ErrorKind::bad_input, "{}: {}", path.string(),
             file.is_open() ? "not a GGUF file (its first four bytes are not 'GGUF')"
                            : "cannot be read; check the path");
    }
    ensure_backend();
    take_backend_errors();
    GgufPtr header(gguf_init_from_file(path.c_str(), {/* no_alloc = */ true, /* ctx = */ nullptr}));
    if (!header) {
        const std::string cause = take_backend_errors();
        fail(ErrorKind::bad_input, "{}: its GGUF header cannot be read{}; the file is truncated or damaged",
             path.string(), cause.empty() ? "" : " (" + cause + ")");
    }
    return header;
}

std::string text_of(const gguf_context * header, const char * key) {
    const std::int64_t id = gguf_find_key(header, key);
    return id >= 0 && gguf_get_kv_type(header, id) == GGUF_TYPE_STRING ? gguf_get_val_str(header, id) : "";
}

std::map<std::string, std::string> texts_of(const gguf_context * header) {
    std::map<std::string, std::string> texts;
    for (std::int64_t i = 0; i < gguf_get_n_kv(header); ++i) {
        if (gguf_get_kv_type(header, i) == GGUF_TYPE_STRING) {
            texts[gguf_get_key(header, i)] = gguf_get_val_str(header, i);
        }
    }
    return texts;
}

/// N of `direction.N`; nothing for another tensor.
std::optional<int> direction_number(std::string_view name, const fs::path & path) {
    if (!name.starts_with(direction_prefix)) {
        return std::nullopt;
    }
    const std::string_view digits = name.substr(direction_prefix.size());
    int number = 0;
    const auto [end, problem] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
    if (problem != std::errc() || end != digits.data() + digits.size() || number < 0) {
        fail(ErrorKind::bad_input, "{}: tensor '{}' names no block, expected direction.N with a whole number",
             path.string(), name);
    }
    return number;
}

std::vector<float> read_vector(const gguf_context * header, std::int64_t id, std::ifstream & file,
                               const fs::path & path) {
    const char * name = gguf_get_tensor_name(header, id);
    const std::int64_t * ne = gguf_get_tensor_ne(header, id);
    const ggml_type type = gguf_get_tensor_type(header, id);
    if (ne[0] < 1 || ne[1] * ne[2] * ne[3] != 1) {
        fail(ErrorKind::bad_input, "{}: tensor '{}' has shape [{}], expected one vector", path.string(), name,
             fmt::join(ne, ne + GGML_MAX_DIMS, ", "));
    }
    if (type != GGML_TYPE_F32 && !ggml_get_type_traits(type)->to_float) {
        fail(ErrorKind::bad_input, "{}: tensor '{}' has type {}, expected floating point", path.string(), name,
             ggml_type_name(type));
    }
    std::vector<char> bytes(gguf_get_tensor_size(header, id));
    file.seekg(static_cast<std::streamoff>(gguf_get_data_offset(header) + gguf_get_tensor_offset(header, id)));
    if (!file.read(bytes.data(), static_cast<std::streamsize>(bytes.size()))) {
        fail(ErrorKind::bad_input, "{}: truncated inside tensor '{}'; fetch or make it again", path.string(), name);
    }
    std::vector<float> values(static_cast<std::size_t>(ne[0]));
    if (type == GGML_TYPE_F32) {
        std::memcpy(values.data(), bytes.data(), bytes.size());
    } else {
        ggml_get_type_traits(type)->to_float(bytes.data(), values.data(), ne[0]);
    }
    return values;
}

} // namespace

ControlVector read_control_vector(const fs::path & path) {
    const GgufPtr header = open_header(path);
    const std::string architecture = text_of(header.get(), "general.architecture");
    if (!architecture.empty() && architecture != "controlvector") {
        fail(ErrorKind::bad_input, "{}: general.architecture is '{}', expected a control vector ('controlvector')",
             path.string(), architecture);
    }
    ControlVector vector;
    vector.model_hint = text_of(header.get(), "controlvector.model_hint");
    vector.texts = texts_of(header.get());
    std::ifstream file(path, std::ios::binary);
    for (std::int64_t i = 0; i < gguf_get_n_tensors(header.get()); ++i) {
        if (const auto number = direction_number(gguf_get_tensor_name(header.get(), i), path)) {
            std::vector<float> values = read_vector(header.get(), i, file, path);
            if (!vector.directions.empty() && values.size() != vector.directions.begin()->second.size()) {
                fail(ErrorKind::bad_input, "{}: direction.{} has {} numbers, direction.{} has {}", path.string(),
                     *number, values.size(), vector.directions.begin()->first,
                     vector.directions.begin()->second.size());
            }
            if (!vector.directions.emplace(*number, std::move(values)).second) {
                fail(ErrorKind::bad_input, "{}: has two directions for block {}", path.string(), *number);
            }
        }
    }
    if (vector.directions.empty()) {
        fail(ErrorKind::bad_input, "{}: holds no tensor direction.N", path.string());
    }
    return vector;
}

void write_control_vector(const fs::path & path, const ControlVector & vector) {
    GgufBuilder file(vector.directions.size());
    file.text("general.architecture", "controlvector");
    file.text("controlvector.model_hint", vector.model_hint);
    gguf_set_val_u32(file.header(), "controlvector.layer_count", static_cast<std::uint32_t>(vector.directions.size()));
    file.texts(vector.texts);
    for (const auto & [block, values] : vector.directions) {
        if (block < 1) {
            fail(ErrorKind::internal, "block {} has no place in a control vector", block);
        }
        file.tensor(fmt::format("{}{}", direction_prefix, block), {values.size()}, values);
    }
    file.write(path);
}

bool is_adapter_file(const fs::path & path) {
    return text_of(open_header(path).get(), "general.type") == "adapter";
}

LoraSummary read_lora_summary(const fs::path & path) {
    const GgufPtr header = open_header(path);
    const std::string kind = text_of(header.get(), "adapter.type");
    if (text_of(header.get(), "general.type") != "adapter" || kind != "lora") {
        fail(ErrorKind::bad_input, "{}: is no LoRA adapter (general.type is '{}', adapter.type '{}')", path.string(),
             text_of(header.get(), "general.type"), kind);
    }
    LoraSummary summary;
    summary.architecture = text_of(header.get(), "general.architecture");
    const std::int64_t alpha = gguf_find_key(header.get(), "adapter.lora.alpha");
    if (alpha >= 0 && gguf_get_kv_type(header.get(), alpha) == GGUF_TYPE_FLOAT32) {
        summary.alpha = gguf_get_val_f32(header.get(), alpha);
    }
    summary.texts = texts_of(header.get());
    const auto shape_of = [&](std::int64_t id) {
        const std::int64_t * ne = gguf_get_tensor_ne(header.get(), id);
        std::vector<std::size_t> shape;
        for (int i = GGML_MAX_DIMS - 1; i >= 0; --i) {
            if (ne[i] != 1 || !shape.empty() || i < 2) {
                shape.push_back(static_cast<std::size_t>(ne[i]));
            }
        }
        return shape;
    };
    constexpr std::string_view ending = ".lora_a";
    std::int64_t partners = 0;
    for (std::int64_t i = 0; i < gguf_get_n_tensors(header.get()); ++i) {
        const std::string name = gguf_get_tensor_name(header.get(), i);
        if (!name.ends_with(ending)) {
            continue;
        }
        const std::string weight = name.substr(0, name.size() - ending.size());
        const std::int64_t b = gguf_find_tensor(header.get(), (weight + ".lora_b").c_str());
        if (b < 0) {
            fail(ErrorKind::bad_input, "{}: has '{}' without '{}.lora_b'; it is damaged", path.string(), name, weight);
        }
        summary.pairs.push_back(
            {weight, ggml_type_name(gguf_get_tensor_type(header.get(), i)), shape_of(i), shape_of(b)});
        partners += 2;
    }
    if (partners != gguf_get_n_tensors(header.get())) {
        fail(ErrorKind::bad_input, "{}: {} of its {} tensors belong to no pair of lora_a and lora_b", path.string(),
             gguf_get_n_tensors(header.get()) - partners, gguf_get_n_tensors(header.get()));
    }
    return summary;
}

void write_lora(const fs::path & path, const LoraAdapter & adapter) {
    std::size_t highest = 0;
    for (const LoraPair & pair : adapter.pairs) {
        highest = std::max(highest, pair.rank);
    }
    GgufBuilder file(2 * adapter.pairs.size());
    file.text("general.architecture", adapter.architecture);
    file.text("general.type", "adapter");
    if (!adapter.name.empty()) {
        file.text("general.name", adapter.name);
    }
    file.text("adapter.type", "lora");
    gguf_set_val_f32(file.header(), "adapter.lora.alpha", static_cast<float>(highest));
    file.texts(adapter.texts);
    std::vector<std::vector<float>> scaled; // alive until the file is written
    scaled.reserve(adapter.pairs.size());
    for (const LoraPair & pair : adapter.pairs) {
        const float share = static_cast<float>(pair.rank) / static_cast<float>(highest);
        std::vector<float> & b = scaled.emplace_back(pair.b);
        std::transform(b.begin(), b.end(), b.begin(), [share](float x) { return x * share; });
        std::vector<std::size_t> a_sizes = {pair.n_in, pair.rank};
        std::vector<std::size_t> b_sizes = {pair.rank, pair.n_out};
        if (pair.n_expert > 1) {
            a_sizes.push_back(pair.n_expert);
            b_sizes.push_back(pair.n_expert);
        }
        file.tensor(pair.weight + ".lora_a", a_sizes, pair.a);
        file.tensor(pair.weight + ".lora_b", b_sizes, b);
    }
    file.write(path);
}

} // namespace valuelens
