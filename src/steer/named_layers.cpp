#include "steer/named_layers.h"

#include <cstring>
#include <string>

namespace valuelens {

std::optional<std::vector<std::int64_t>> named_layers(const SafetensorsFile & file) {
    if (!file.contains(layers_name)) {
        return std::nullopt;
    }
    const TensorView & view = file.find(layers_name);
    if (view.dtype != DType::i64 && view.dtype != DType::i32) {
        return std::nullopt;
    }
    std::vector<std::int64_t> layers(view.count());
    for (std::size_t i = 0; i < layers.size(); ++i) {
        if (view.dtype == DType::i64) {
            std::memcpy(&layers[i], view.bytes.data() + i * sizeof(std::int64_t), sizeof(std::int64_t));
        } else {
            std::int32_t narrow = 0;
            std::memcpy(&narrow, view.bytes.data() + i * sizeof(narrow), sizeof(narrow));
            layers[i] = narrow;
        }
    }
    return layers;
}

std::optional<std::vector<std::int64_t>> named_layers(const NpzFile & file) {
    if (!file.contains(layers_name)) {
        return std::nullopt;
    }
    const std::string descr = file.find(layers_name).descr;
    return descr == "<i8" || descr == "<i4" ? std::optional(file.read_i64(layers_name)) : std::nullopt;
}

} // namespace valuelens
