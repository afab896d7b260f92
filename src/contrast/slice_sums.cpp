#include "contrast/slice_sums.h"

#include <nlohmann/json.hpp>

#include <cmath>
#include <cstring>

#include "base/fail.h"
#include "math/vector_ops.h"
#include "store/provenance.h"

namespace valuelens {

namespace {

constexpr const char * format_name = "slice_sums";
constexpr const char * norm_tensor = "resid_norm_sum";

std::string cell_name(const std::string & value, Condition condition) {
    return fmt::format("{}/{}", value, to_string(condition));
}

std::string tensor_name(const std::string & cell, std::size_t expresses) {
    return cell + (expresses != 0 ? "/expressing" : "/not_expressing");
}

} // namespace

SliceSums::SliceSums(std::size_t n_layer, std::size_t n_embd)
    : n_layer_(n_layer), n_embd_(n_embd), resid_norm_sum_(n_layer) {}

void SliceSums::add_response(const std::string & id, std::span<const float> resid_post) {
    for (std::size_t layer = 0; layer < n_layer_; ++layer) {
        const double length = norm(resid_post.subspan(layer * n_embd_, n_embd_));
        if (!std::isfinite(length)) {
            fail(
                ErrorKind::bad_input,
                "response '{}', layer {}: the activations hold a number that is not finite; the model's weights may be "
                "damaged, or its type too narrow",
                id, layer);
        }
        resid_norm_sum_[layer] += length;
    }
    ++n_responses_;
}

void SliceSums::add_label(const std::string & value, Condition condition, bool expresses,
                          std::span<const float> resid_post) {
    Cell & cell = cells_[{value, condition}];
    std::vector<float> & sum = cell.sum[expresses];
    sum.resize(n_layer_ * n_embd_);
    for (std::size_t i = 0; i < sum.size(); ++i) {
        sum[i] += resid_post[i];
    }
    ++cell.count[expresses];
}

void SliceSums::write(const std::filesystem::path & path, const Provenance & provenance) const {
    nlohmann::json counts = nlohmann::json::object();
    std::vector<FloatTensor> tensors;
    for (const auto & [key, cell] : cells_) {
        const std::string name = cell_name(key.first, key.second);
        counts[name] = {{"value", key.first},
                        {"condition", to_string(key.second)},
                        {"not_expressing", cell.count[0]},
                        {"expressing", cell.count[1]}};
        for (std::size_t expresses = 0; expresses < 2; ++expresses) {
            if (cell.count[expresses] > 0) {
                tensors.push_back({tensor_name(name, expresses), {n_layer_, n_embd_}, cell.sum[expresses]});
            }
        }
    }
    const std::vector<float> norms(resid_norm_sum_.begin(), resid_norm_sum_.end());
    tensors.push_back({norm_tensor, {n_layer_}, norms});
    std::map<std::string, std::string> metadata = provenance_metadata(provenance);
    metadata["format"] = format_name;
    metadata["counts"] = counts.dump();
    metadata["n_responses"] = std::to_string(n_responses_);
    metadata["n_embd"] = std::to_string(n_embd_);
    write_safetensors(path, tensors, metadata);
}

SliceSumsFile::SliceSumsFile(const std::filesystem::path & path)
    : file_(path), provenance_(provenance_from_metadata(file_.metadata(), path)) {
    const auto entry = [&](const char * key) {
        const auto found = file_.metadata().find(key);
        if (found == file_.metadata().end()) {
            fail(ErrorKind::bad_input, "{}: is no file of a slice's sums (metadata key '{}' is missing)", path.string(),
                 key);
        }
        return found->second;
    };
    try {
        resid_norm_sum_ = file_.read_f32(norm_tensor);
        n_layer_ = resid_norm_sum_.size();
        n_embd_ = std::stoul(entry("n_embd"));
        n_responses_ = std::stoul(entry("n_responses"));
        const nlohmann::json stored = nlohmann::json::parse(entry("counts"));
        for (const auto & [name, cell] : stored.items()) {
            std::array<std::size_t, 2> & count =
                counts_[{cell.at("value").get<std::string>(), condition_from_string(cell.at("condition"))}];
            count = {cell.at("not_expressing").get<std::size_t>(), cell.at("expressing").get<std::size_t>()};
            for (std::size_t expresses = 0; expresses < 2; ++expresses) {
                if (count[expresses] == 0) {
                    continue;
                }
                const TensorView & sum = file_.find(tensor_name(name, expresses));
                if (sum.dtype != DType::f32 || sum.shape != std::vector<std::size_t>{n_layer_, n_embd_}) {
                    fail(ErrorKind::bad_input, "{}: tensor '{}' is {} [{}], expected F32 with {} layers of {}",
                         path.string(), sum.name, to_string(sum.dtype), fmt::join(sum.shape, ", "), n_layer_, n_embd_);
                }
            }
        }
    } catch (const Error &) {
        throw;
    } catch (const std::exception & error) {
        fail(ErrorKind::bad_input, "{}: the counts of a slice's sums cannot be read ({})", path.string(), error.what());
    }
}

std::array<std::size_t, 2> SliceSumsFile::count(const std::string & value, Condition condition) const {
    const auto found = counts_.find({value, condition});
    return found == counts_.end() ? std::array<std::size_t, 2>{} : found->second;
}

void SliceSumsFile::read(const std::string & value, Condition condition, bool expresses, std::size_t layer,
                         std::span<float> row) const {
    const TensorView & sum = file_.find(tensor_name(cell_name(value, condition), expresses ? 1 : 0));
    std::memcpy(row.data(), sum.bytes.data() + layer * n_embd_ * sizeof(float), row.size_bytes());
}

} // namespace valuelens
