#include "engine/gguf_tensors.h"

#include <algorithm>
#include <cstring>

#include "base/fail.h"
#include "engine/backend.h"
#include "engine/gguf_file.h"
#include "engine/gguf_ptr.h"

namespace valuelens {

GgufTensors::GgufTensors(const std::string & path, const std::function<void(const gguf_context *)> & on_header)
    : path_(path) {
    check_gguf(path);
    ensure_backend();
    for (const std::string & part : gguf_parts(path)) {
        ggml_context * raw = nullptr;
        const GgufPtr header(gguf_init_from_file(part.c_str(), gguf_init_params{/* no_alloc = */ true, &raw}));
        const GgmlPtr shapes(raw);
        if (!header) {
            fail(ErrorKind::model, "{}: its GGUF header cannot be read; fetch it again", part);
        }
        if (parts_.empty() && on_header) {
            on_header(header.get());
        }
        parts_.push_back(std::make_unique<MappedFile>(part));
        for (std::int64_t i = 0; i < gguf_get_n_tensors(header.get()); ++i) {
            const char * name = gguf_get_tensor_name(header.get(), i);
            const ggml_tensor * shape = ggml_get_tensor(shapes.get(), name);
            GgufTensor tensor;
            tensor.type = shape->type;
            std::copy_n(shape->ne, GGML_MAX_DIMS, tensor.ne.begin());
            tensor.data =
                parts_.back()->data() + gguf_get_data_offset(header.get()) + gguf_get_tensor_offset(header.get(), i);
            tensors_.emplace(name, tensor);
        }
    }
}

const GgufTensor * GgufTensors::find(const std::string & name) const {
    const auto found = tensors_.find(name);
    return found == tensors_.end() ? nullptr : &found->second;
}

std::vector<float> GgufTensors::read_vector(const std::string & name, std::size_t length) const {
    const GgufTensor & tensor = tensors_.at(name);
    if (tensor.ne[0] != length || tensor.ne[1] * tensor.ne[2] * tensor.ne[3] != 1) {
        fail(ErrorKind::model, "{}: tensor '{}' has shape [{}], expected [{}]", path_, name, fmt::join(tensor.ne, ", "),
             length);
    }
    require_readable(path_, name, tensor);
    std::vector<float> values(length);
    dequantise(tensor.type, tensor.data, length, values.data());
    return values;
}

void require_readable(const std::string & path, const std::string & name, const GgufTensor & tensor) {
    if (tensor.type != GGML_TYPE_F32 && !ggml_get_type_traits(tensor.type)->to_float) {
        fail(ErrorKind::model, "{}: tensor '{}' has type {}, which ggml cannot turn into floating point", path, name,
             ggml_type_name(tensor.type));
    }
}

void dequantise(ggml_type type, const char * from, std::size_t count, float * to) {
    if (type == GGML_TYPE_F32) {
        std::memcpy(to, from, count * sizeof(float));
    } else {
        ggml_get_type_traits(type)->to_float(from, to, static_cast<std::int64_t>(count));
    }
}

} // namespace valuelens
