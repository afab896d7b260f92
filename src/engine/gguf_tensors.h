#pragma once

#include <ggml.h>
#include <gguf.h>

#include <array>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "engine/mapped_file.h"

namespace valuelens {

/// A tensor of a GGUF file; `data` stays as long as the GgufTensors it came from.
struct GgufTensor {
    ggml_type type = GGML_TYPE_F32;
    std::array<std::size_t, GGML_MAX_DIMS> ne{};
    const char * data = nullptr;
    std::size_t row_bytes() const { return ggml_row_size(type, static_cast<std::int64_t>(ne[0])); }
};

/// The tensors of a GGUF model, all parts, through memory maps: nothing is loaded. Thread-safe.
class GgufTensors {
public:
    /// `on_header` sees the header of the first part. Throws Error(model): not a usable GGUF.
    explicit GgufTensors(const std::string & path, const std::function<void(const gguf_context *)> & on_header = {});

    const std::string & path() const { return path_; }

    /// Null where there is no such tensor.
    const GgufTensor * find(const std::string & name) const;

    /// A vector as float. Throws Error(model) where it has another length, or a type that ggml cannot dequantise;
    /// `name` must exist.
    std::vector<float> read_vector(const std::string & name, std::size_t length) const;

private:
    std::string path_;
    std::vector<std::unique_ptr<MappedFile>> parts_;
    std::map<std::string, GgufTensor> tensors_;
};

/// Throws Error(model) unless ggml can turn the tensor's type into floating point.
void require_readable(const std::string & path, const std::string & name, const GgufTensor & tensor);

/// `count` numbers from `from`, a multiple of the type's block, as float.
void dequantise(ggml_type type, const char * from, std::size_t count, float * to);

} // namespace valuelens
