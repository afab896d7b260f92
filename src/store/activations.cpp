#include "store/activations.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <numeric>
#include <unordered_set>

#include "base/fail.h"
#include "store/half.h"
#include "store/provenance.h"

namespace valuelens {

namespace {

/// The power of two that brings the largest element of a row into [2^14, 2^15); 1 for a row of zeros.
float row_scale(std::span<const float> row) {
    float largest = 0.0f;
    for (const float element : row) {
        largest = std::max(largest, std::abs(element));
    }
    if (largest == 0.0f) {
        return 1.0f;
    }
    // 2^-126 is the least scale that is a normal number, and small enough: F16 then holds every float below it exactly.
    return std::ldexp(1.0f, std::max(std::ilogb(largest) - 14, -126));
}

std::uint16_t scaled_half(float element, float scale) {
    std::uint16_t half = float_to_half(element / scale);
    if (!std::isfinite(half_to_float(half) * scale)) {
        --half; // rounded up beyond the largest float: the next one below
    }
    return half;
}

std::string scale_name(const std::string & name) {
    return name + "_scale";
}

} // namespace

ActivationWriter::ActivationWriter(const std::filesystem::path & path, const ActivationShape & shape,
                                   const Provenance & provenance, ActivationFormat format, std::vector<std::string> ids)
    : path_(path), shape_(shape), format_(format), ids_(std::move(ids)), written_(ids_.size(), false), writer_(path) {
    if (shape.n_layer == 0 || shape.n_embd == 0) {
        fail(ErrorKind::internal, "{}: activations of {} layers and width {}", path.string(), shape.n_layer,
             shape.n_embd);
    }
    std::unordered_set<std::string> seen;
    for (const std::string & id : ids_) {
        if (!seen.insert(id).second) {
            fail(ErrorKind::bad_input, "{}: the id '{}' comes twice; ids of responses must be unique", path.string(),
                 id);
        }
    }

    std::map<std::string, std::string> metadata = provenance_metadata(provenance);
    try {
        metadata["ids"] = nlohmann::json(ids_).dump();
    } catch (const nlohmann::json::exception &) {
        fail(ErrorKind::bad_input, "{}: an id of a response is not valid UTF-8", path.string());
    }
    metadata["format"] = format == ActivationFormat::f32 ? "f32" : "f16_scaled";
    writer_.set_metadata(std::move(metadata));

    // Scales before the half-precision data, so that every tensor lies on a multiple of its element size.
    const std::size_t n = ids_.size();
    if (format_ == ActivationFormat::f16_scaled) {
        writer_.declare(scale_name("resid_post"), DType::f32, {n, shape.n_layer});
        if (shape.n_ff > 0) {
            writer_.declare(scale_name("mlp_post"), DType::f32, {n, shape.n_layer});
        }
        if (shape.n_vocab > 0) {
            writer_.declare(scale_name("last_logits"), DType::f32, {n});
        }
    }
    declare("resid_post", {n, shape.n_layer, shape.n_embd});
    if (shape.n_ff > 0) {
        declare("mlp_post", {n, shape.n_layer, shape.n_ff});
    }
    if (shape.n_vocab > 0) {
        declare("last_logits", {n, shape.n_vocab});
    }
}

void ActivationWriter::declare(const std::string & name, std::vector<std::size_t> shape) {
    writer_.declare(name, format_ == ActivationFormat::f32 ? DType::f32 : DType::f16, std::move(shape));
}

void ActivationWriter::check_finite(const std::string & id, const char * name, std::span<const float> row,
                                    std::size_t width) const {
    for (std::size_t i = 0; i < row.size(); ++i) {
        if (!std::isfinite(row[i])) {
            const std::string layer = row.size() == width ? "" : fmt::format(" layer {},", i / width);
            fail(ErrorKind::bad_input,
                 "{}: response '{}' has {} in {} at{} element {}; a model whose numbers overflow cannot be analysed, "
                 "try another "
                 "quantisation or KV type",
                 path_.string(), id, row[i], name, layer, i % width);
        }
    }
}

void ActivationWriter::write_tensor(const std::string & name, std::size_t index, std::span<const float> row,
                                    std::size_t width) {
    if (format_ == ActivationFormat::f32) {
        writer_.write_at(name, index * row.size_bytes(), row.data(), row.size_bytes());
        return;
    }
    const std::size_t blocks = row.size() / width;
    std::vector<float> scales(blocks);
    std::vector<std::uint16_t> halves(row.size());
    for (std::size_t block = 0; block < blocks; ++block) {
        scales[block] = row_scale(row.subspan(block * width, width));
        for (std::size_t i = block * width; i < (block + 1) * width; ++i) {
            halves[i] = scaled_half(row[i], scales[block]);
        }
    }
    const std::size_t scale_bytes = blocks * sizeof(float);
    const std::size_t half_bytes = halves.size() * sizeof(std::uint16_t);
    writer_.write_at(scale_name(name), index * scale_bytes, scales.data(), scale_bytes);
    writer_.write_at(name, index * half_bytes, halves.data(), half_bytes);
}

void ActivationWriter::write(std::size_t index, std::span<const float> resid_post, std::span<const float> mlp_post,
                             std::span<const float> last_logits) {
    if (index >= ids_.size() || written_[index]) {
        fail(ErrorKind::internal, "{}: row {} of {} is {}", path_.string(), index, ids_.size(),
             index >= ids_.size() ? "out of range" : "written twice");
    }
    if (resid_post.size() != shape_.n_layer * shape_.n_embd || mlp_post.size() != shape_.n_layer * shape_.n_ff ||
        last_logits.size() != shape_.n_vocab) {
        fail(ErrorKind::internal, "{}: response '{}' has {} + {} + {} numbers, {} + {} + {} were expected",
             path_.string(), ids_[index], resid_post.size(), mlp_post.size(), last_logits.size(),
             shape_.n_layer * shape_.n_embd, shape_.n_layer * shape_.n_ff, shape_.n_vocab);
    }
    check_finite(ids_[index], "resid_post", resid_post, shape_.n_embd);
    check_finite(ids_[index], "mlp_post", mlp_post, std::max<std::size_t>(shape_.n_ff, 1));
    check_finite(ids_[index], "last_logits", last_logits, std::max<std::size_t>(shape_.n_vocab, 1));

    write_tensor("resid_post", index, resid_post, shape_.n_embd);
    if (shape_.n_ff > 0) {
        write_tensor("mlp_post", index, mlp_post, shape_.n_ff);
    }
    if (shape_.n_vocab > 0) {
        write_tensor("last_logits", index, last_logits, shape_.n_vocab);
    }
    written_[index] = true;
}

void ActivationWriter::commit() {
    const auto missing = std::find(written_.begin(), written_.end(), false);
    if (missing != written_.end()) {
        fail(ErrorKind::internal, "{}: {} of {} rows are missing, first '{}'", path_.string(),
             std::count(written_.begin(), written_.end(), false), ids_.size(),
             ids_[static_cast<std::size_t>(missing - written_.begin())]);
    }
    writer_.commit();
}

ActivationReader::ActivationReader(const std::vector<std::filesystem::path> & paths) {
    if (paths.empty()) {
        fail(ErrorKind::bad_input, "there is no activation file to read");
    }
    for (const std::filesystem::path & path : paths) {
        add_shard(path);
    }
    sort_ids();
}

std::string_view ActivationReader::view(std::size_t index) const {
    const std::uint64_t begin = index == 0 ? 0 : ends_[index - 1];
    return std::string_view(id_text_).substr(begin, ends_[index] - begin);
}

std::vector<std::string> ActivationReader::ids() const {
    std::vector<std::string> list;
    for (std::size_t i = 0; i < count(); ++i) {
        list.push_back(id(i));
    }
    return list;
}

void ActivationReader::sort_ids() {
    if (count() > std::numeric_limits<std::uint32_t>::max()) {
        fail(ErrorKind::bad_input, "{}: {} responses are more than can be read together",
             shards_.front().file.path().string(), count());
    }
    order_.resize(count());
    std::iota(order_.begin(), order_.end(), 0U);
    // Equal ids by index, so that the second place is the one that is named.
    std::sort(order_.begin(), order_.end(), [&](std::uint32_t left, std::uint32_t right) {
        const int order = view(left).compare(view(right));
        return order != 0 ? order < 0 : left < right;
    });
    const auto twice = std::adjacent_find(order_.begin(), order_.end(), [&](std::uint32_t left, std::uint32_t right) {
        return view(left) == view(right);
    });
    if (twice != order_.end()) {
        fail(ErrorKind::bad_input, "{}: the id '{}' comes twice; ids of responses must be unique",
             path_of(*std::next(twice)).string(), view(*twice));
    }
}

void ActivationReader::add_shard(const std::filesystem::path & path) {
    SafetensorsFile file(path);
    const Provenance provenance = provenance_from_metadata(file.metadata(), path);

    // The ids.
    const auto list = file.metadata().find("ids");
    if (list == file.metadata().end()) {
        fail(ErrorKind::bad_input, "{}: the metadata has no 'ids'; a file of activations was expected", path.string());
    }
    const nlohmann::json parsed = nlohmann::json::parse(list->second, nullptr, false);
    if (!parsed.is_array() ||
        !std::all_of(parsed.begin(), parsed.end(), [](const nlohmann::json & id) { return id.is_string(); })) {
        fail(ErrorKind::bad_input, "{}: the metadata 'ids' is not a JSON list of texts", path.string());
    }
    const auto ids = parsed.get<std::vector<std::string>>();

    // Shapes of the tensors, all against the number of ids.
    const auto extent = [&](const char * name, std::size_t rank, std::size_t axis) -> std::size_t {
        const TensorView & tensor = file.find(name);
        if (tensor.shape.size() != rank || tensor.shape[0] != ids.size() ||
            (tensor.dtype != DType::f32 && tensor.dtype != DType::f16)) {
            fail(ErrorKind::bad_input, "{}: tensor '{}' is {} [{}]; F32 or F16 with {} axes and {} rows was expected",
                 path.string(), name, to_string(tensor.dtype), fmt::join(tensor.shape, ", "), rank, ids.size());
        }
        return tensor.shape[axis];
    };
    ActivationShape shape;
    shape.n_layer = extent("resid_post", 3, 1);
    shape.n_embd = extent("resid_post", 3, 2);
    if (file.contains("mlp_post")) {
        shape.n_ff = extent("mlp_post", 3, 2);
        if (extent("mlp_post", 3, 1) != shape.n_layer) {
            fail(ErrorKind::bad_input, "{}: 'mlp_post' and 'resid_post' differ in their number of layers",
                 path.string());
        }
    }
    if (file.contains("last_logits")) {
        shape.n_vocab = extent("last_logits", 2, 1);
    }
    for (const char * name : {"resid_post", "mlp_post", "last_logits"}) {
        if (!file.contains(scale_name(name))) {
            continue;
        }
        const TensorView & scale = file.find(scale_name(name));
        const std::size_t blocks = std::string_view(name) == "last_logits" ? 1 : shape.n_layer;
        if (scale.dtype != DType::f32 || scale.count() != ids.size() * blocks) {
            fail(ErrorKind::bad_input, "{}: tensor '{}' does not have one F32 scale for each row of '{}'",
                 path.string(), scale.name, name);
        }
    }

    // Agreement with the shards before.
    if (shards_.empty()) {
        shape_ = shape;
        provenance_ = provenance;
    } else {
        const std::filesystem::path & first = shards_.front().file.path();
        require_same_model(provenance, provenance_.model_hash, provenance_.model_name + " of " + first.string(), path);
        require_same_location(provenance, provenance_.location, path);
        if (shape != shape_) {
            fail(ErrorKind::bad_input,
                 "{}: has {} layers, n_embd {}, n_ff {}, n_vocab {}, but {} has {}, {}, {}, {}; files read together "
                 "must agree",
                 path.string(), shape.n_layer, shape.n_embd, shape.n_ff, shape.n_vocab, first.string(), shape_.n_layer,
                 shape_.n_embd, shape_.n_ff, shape_.n_vocab);
        }
    }
    const std::size_t start = count();
    for (const std::string & id : ids) {
        id_text_ += id;
        ends_.push_back(id_text_.size());
    }
    shards_.emplace_back(std::move(file), start, ids.size());
}

std::optional<std::size_t> ActivationReader::find(const std::string & id) const {
    const auto place =
        std::lower_bound(order_.begin(), order_.end(), std::string_view(id),
                         [&](std::uint32_t index, std::string_view wanted) { return view(index) < wanted; });
    return place == order_.end() || view(*place) != id ? std::nullopt : std::optional<std::size_t>(*place);
}

const ActivationReader::Shard & ActivationReader::shard_of(std::size_t index) const {
    if (index >= count()) {
        fail(ErrorKind::internal, "activation row {} of {} does not exist", index, count());
    }
    const auto after = std::upper_bound(shards_.begin(), shards_.end(), index,
                                        [](std::size_t wanted, const Shard & shard) { return wanted < shard.first; });
    return *std::prev(after);
}

const std::filesystem::path & ActivationReader::path_of(std::size_t index) const {
    return shard_of(index).file.path();
}

void ActivationReader::read_tensor(const char * name, std::size_t index, std::span<float> row, std::size_t blocks,
                                   std::size_t width) const {
    if (row.size() != blocks * width) {
        fail(ErrorKind::internal, "a row of '{}' has {} numbers, {} were asked for", name, blocks * width, row.size());
    }
    read_blocks(name, index, row, blocks, width, 0);
}

void ActivationReader::read_blocks(const char * name, std::size_t index, std::span<float> row, std::size_t blocks,
                                   std::size_t width, std::size_t first) const {
    const Shard & shard = shard_of(index);
    shard.touched = true;
    if (budget_.spend(row.size_bytes())) {
        for (const Shard & each : shards_) {
            if (each.touched.exchange(false)) {
                each.file.release_pages();
            }
        }
    }
    const std::size_t local = index - shard.first;
    const TensorView & tensor = shard.file.find(name);
    const std::size_t begin = (local * blocks + first) * width;
    if (tensor.dtype == DType::f32) {
        std::memcpy(row.data(), tensor.bytes.data() + begin * sizeof(float), row.size_bytes());
    } else {
        const std::byte * halves = tensor.bytes.data() + begin * sizeof(std::uint16_t);
        for (std::size_t i = 0; i < row.size(); ++i) {
            std::uint16_t half;
            std::memcpy(&half, halves + i * sizeof(half), sizeof(half));
            row[i] = half_to_float(half);
        }
    }
    if (!shard.file.contains(scale_name(name))) {
        return;
    }
    const TensorView & scales = shard.file.find(scale_name(name));
    for (std::size_t block = 0; block < row.size() / width; ++block) {
        float scale;
        std::memcpy(&scale, scales.bytes.data() + (local * blocks + first + block) * sizeof(scale), sizeof(scale));
        for (float & element : row.subspan(block * width, width)) {
            element *= scale;
        }
    }
}

void ActivationReader::read(std::size_t index, std::span<float> row) const {
    read_tensor("resid_post", index, row, shape_.n_layer, shape_.n_embd);
}

void ActivationReader::read_layer(std::size_t index, std::size_t layer, std::span<float> row) const {
    if (row.size() != shape_.n_embd || layer >= shape_.n_layer) {
        fail(ErrorKind::internal, "layer {} with {} numbers was asked for of [{}, {}]", layer, row.size(),
             shape_.n_layer, shape_.n_embd);
    }
    read_blocks("resid_post", index, row, shape_.n_layer, shape_.n_embd, layer);
}

void ActivationReader::read_mlp_post(std::size_t index, std::span<float> row) const {
    read_tensor("mlp_post", index, row, shape_.n_layer, shape_.n_ff);
}

void ActivationReader::read_last_logits(std::size_t index, std::span<float> row) const {
    read_tensor("last_logits", index, row, 1, shape_.n_vocab);
}

void ActivationReader::for_each(
    const std::function<void(const std::string & id, std::span<const float> resid_post)> & row) const {
    std::vector<float> buffer(shape_.n_layer * shape_.n_embd);
    for (std::size_t index = 0; index < count(); ++index) {
        read(index, buffer);
        row(id(index), buffer);
    }
}

} // namespace valuelens
