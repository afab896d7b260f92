#include "engine/down_projections.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cassert>
#include <optional>

#include "base/fail.h"
#include "engine/gguf_tensors.h"

namespace valuelens {

namespace {

/// Where a matrix lies, and what multiplies its rows.
struct Source {
    ggml_type type = GGML_TYPE_F32;
    const char * data = nullptr;
    std::size_t row_bytes = 0;
    std::vector<float> gain; ///< [n_embd]; empty: all 1
};

} // namespace

struct DownProjections::Impl {
    std::string path;
    ModelInfo info;
    std::size_t n_layer = 0;
    std::size_t n_embd = 0;
    bool swin_norm = false;
    bool norm_gains = true;
    std::vector<std::size_t> ff_length; ///< [n_layer] feed_forward_length; empty where the model states none
    std::unique_ptr<GgufTensors> tensors;
    std::vector<DownProjection> matrices;
    std::vector<Source> sources; ///< of each matrix
    std::vector<std::string> notes;

    void read_keys(const gguf_context * header);
    const GgufTensor * find(const std::string & name) const { return tensors->find(name); }
    std::vector<float> read_vector(const std::string & name, std::size_t length) const {
        return tensors->read_vector(name, length);
    }
    void multiply(std::vector<float> & gain, const std::string & name) const;
    std::vector<float> norm_gain(std::size_t layer, bool experts) const;
    void add(std::size_t layer, const std::string & stem, int expert);
    void add_layers();
    void advise(std::size_t first, std::size_t last, int advice) const;
};

void DownProjections::Impl::read_keys(const gguf_context * header) {
    const auto key = [&](const char * name) {
        return gguf_find_key(header, (info.architecture + "." + name).c_str());
    };
    const auto number = [&](std::int64_t id) -> std::size_t {
        return gguf_get_kv_type(header, id) == GGUF_TYPE_UINT32 ? gguf_get_val_u32(header, id)
               : gguf_get_kv_type(header, id) == GGUF_TYPE_INT32
                   ? static_cast<std::size_t>(std::max(0, gguf_get_val_i32(header, id)))
                   : 0;
    };
    n_layer = static_cast<std::size_t>(std::max(0, info.n_layer));
    if (const std::int64_t id = key("swin_norm"); id >= 0 && gguf_get_kv_type(header, id) == GGUF_TYPE_BOOL) {
        swin_norm = gguf_get_val_bool(header, id);
    }
    const std::int64_t id = key("feed_forward_length");
    if (id < 0) {
        return;
    }
    if (gguf_get_kv_type(header, id) != GGUF_TYPE_ARRAY) {
        ff_length.assign(n_layer, number(id));
    } else if (gguf_get_arr_n(header, id) >= n_layer && (gguf_get_arr_type(header, id) == GGUF_TYPE_INT32 ||
                                                         gguf_get_arr_type(header, id) == GGUF_TYPE_UINT32)) {
        const auto * lengths = static_cast<const std::uint32_t *>(gguf_get_arr_data(header, id));
        ff_length.assign(lengths, lengths + n_layer);
    }
}

/// Multiplies the rows' gain by a tensor of one number per row, where the model has it.
void DownProjections::Impl::multiply(std::vector<float> & gain, const std::string & name) const {
    if (!find(name)) {
        return;
    }
    const std::vector<float> factors = read_vector(name, n_embd);
    gain.resize(n_embd, 1.0f);
    for (std::size_t i = 0; i < n_embd; ++i) {
        gain[i] *= factors[i];
    }
}

std::vector<float> DownProjections::Impl::norm_gain(std::size_t layer, bool experts) const {
    const std::string block = fmt::format("blk.{}.", layer);
    std::vector<float> gain;
    const bool own_norm = info.architecture == "grok" && find(block + "layer_output_norm.weight");
    multiply(gain, block + (own_norm ? "layer_output_norm.weight" : "post_ffw_norm.weight"));
    multiply(gain, block + "post_ffw_norm"); // plamo's name
    if (find(block + "ffn_down_exps.weight")) {
        multiply(gain, block + (experts ? "post_ffw_norm_2.weight" : "post_ffw_norm_1.weight"));
    }
    if (swin_norm) {
        multiply(gain, block + "ffn_norm.weight");
    }
    if (info.architecture == "gemma4" && find(block + "layer_output_scale.weight")) {
        const float scale = read_vector(block + "layer_output_scale.weight", 1).front();
        gain.resize(n_embd, 1.0f);
        for (float & factor : gain) {
            factor *= scale;
        }
    }
    return gain;
}

/// Adds the matrices of one tensor, if the block has it; `expert` is that of the first (a mixture has one matrix for
/// each index of its third dimension).
void DownProjections::Impl::add(std::size_t layer, const std::string & stem, int expert) {
    const std::string name = fmt::format("blk.{}.{}.weight", layer, stem);
    const GgufTensor * tensor = find(name);
    if (!tensor) {
        return;
    }
    const bool mixture = expert >= 0;
    if (tensor->ne[1] != n_embd || tensor->ne[3] != 1 || (!mixture && tensor->ne[2] != 1)) {
        fail(ErrorKind::model,
             "{}: tensor '{}' has shape [{}], expected [n_ff, {}{}]: this kind of MLP (experts that write to another "
             "space than the residual stream?) is not known",
             path, name, fmt::join(tensor->ne, ", "), n_embd, mixture ? ", n_expert" : "");
    }
    require_readable(path, name, *tensor);
    const std::string scale_name = fmt::format("blk.{}.{}.scale", layer, stem);
    const std::vector<float> scales =
        find(scale_name) ? read_vector(scale_name, tensor->ne[2]) : std::vector<float>(tensor->ne[2], 1.0f);
    const std::vector<float> gain = norm_gains ? norm_gain(layer, mixture) : std::vector<float>();
    const std::size_t bytes = tensor->row_bytes() * n_embd;
    for (std::size_t i = 0; i < tensor->ne[2]; ++i) {
        Source source{tensor->type, tensor->data + i * bytes, tensor->row_bytes(), gain};
        if (scales[i] != 1.0f) {
            source.gain.resize(n_embd, 1.0f);
            for (float & factor : source.gain) {
                factor *= scales[i];
            }
        }
        matrices.push_back({static_cast<int>(layer), expert + static_cast<int>(i), tensor->ne[0], bytes, name});
        sources.push_back(std::move(source));
    }
}

void DownProjections::Impl::add_layers() {
    std::size_t without_mlp = 0;
    std::size_t other_experts = 0;
    for (std::size_t layer = 0; layer < n_layer; ++layer) {
        const std::size_t before = matrices.size();
        add(layer, "ffn_down_shexp", -2);
        add(layer, "ffn_down", -1);
        add(layer, "ffn_down_exps", 0);
        other_experts += find(fmt::format("blk.{}.ffn_down_chexps.weight", layer)) ? 1 : 0;
        if (matrices.size() > before) {
            continue;
        }
        if (ff_length.empty() || ff_length[layer] != 0) {
            fail(ErrorKind::model,
                 "{}: block {} has none of the down projections that are known (ffn_down, ffn_down_exps, "
                 "ffn_down_shexp); the MLP neurons of architecture {} cannot be found",
                 path, layer, info.architecture);
        }
        ++without_mlp;
    }
    if (matrices.empty()) {
        fail(ErrorKind::model, "{}: no block has an MLP, so there are no neurons to find", path);
    }
    if (without_mlp > 0) {
        notes.push_back(fmt::format("{} of {} blocks have no MLP", without_mlp, n_layer));
    }
    if (other_experts > 0) {
        notes.push_back(fmt::format("{} blocks have adjugate experts (ffn_down_chexps) besides, which are left out",
                                    other_experts));
    }
}

void DownProjections::Impl::advise(std::size_t first, std::size_t last, int advice) const {
    static const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
    for (std::size_t i = first; i < std::min(last, matrices.size()); ++i) {
        const auto begin = reinterpret_cast<std::uintptr_t>(sources[i].data) / page * page;
        const auto end = reinterpret_cast<std::uintptr_t>(sources[i].data) + matrices[i].bytes;
        ::madvise(reinterpret_cast<void *>(begin), end - begin, advice); // advice only: a refusal changes nothing
    }
}

DownProjections::DownProjections(const std::string & path, bool norm_gains) : impl_(std::make_unique<Impl>()) {
    impl_->path = path;
    impl_->norm_gains = norm_gains;
    impl_->info = read_model_info(path);
    impl_->n_embd = static_cast<std::size_t>(std::max(0, impl_->info.n_embd));
    impl_->tensors =
        std::make_unique<GgufTensors>(path, [this](const gguf_context * header) { impl_->read_keys(header); });
    if (impl_->n_layer == 0 || impl_->n_embd == 0) {
        fail(ErrorKind::model, "{}: states no block_count or embedding_length for architecture {}", path,
             impl_->info.architecture);
    }
    impl_->add_layers();
}

DownProjections::~DownProjections() = default;

const ModelInfo & DownProjections::info() const {
    return impl_->info;
}

std::size_t DownProjections::n_layer() const {
    return impl_->n_layer;
}

std::size_t DownProjections::n_embd() const {
    return impl_->n_embd;
}

std::span<const DownProjection> DownProjections::matrices() const {
    return impl_->matrices;
}

const std::vector<std::string> & DownProjections::notes() const {
    return impl_->notes;
}

std::size_t DownProjections::column_step(std::size_t matrix) const {
    return static_cast<std::size_t>(ggml_blck_size(impl_->sources[matrix].type));
}

void DownProjections::read(std::size_t matrix, std::size_t row, std::size_t n_rows, std::size_t column,
                           std::size_t n_columns, float * out, std::size_t stride) const {
    const Source & source = impl_->sources[matrix];
    assert(row + n_rows <= impl_->n_embd && column + n_columns <= impl_->matrices[matrix].n_neuron);
    assert(column % column_step(matrix) == 0 && n_columns % column_step(matrix) == 0);
    const std::size_t offset = column / column_step(matrix) * ggml_type_size(source.type);
    // A piece of a row lies in another page than that of the row before, where the processor does not read ahead.
    constexpr std::size_t rows_ahead = 8;
    constexpr std::size_t cache_line = 64;
    const std::size_t piece_bytes = n_columns / column_step(matrix) * ggml_type_size(source.type);
    const bool is_piece = piece_bytes < source.row_bytes;
    for (std::size_t r = 0; r < n_rows; ++r) {
        if (is_piece && row + r + rows_ahead < impl_->n_embd) {
            const char * ahead = source.data + (row + r + rows_ahead) * source.row_bytes + offset;
            for (std::size_t i = 0; i < piece_bytes; i += cache_line) {
                __builtin_prefetch(ahead + i);
            }
        }
        float * to = out + r * stride;
        dequantise(source.type, source.data + (row + r) * source.row_bytes + offset, n_columns, to);
        if (!source.gain.empty()) {
            const float factor = source.gain[row + r];
            for (std::size_t i = 0; i < n_columns; ++i) {
                to[i] *= factor;
            }
        }
    }
}

void DownProjections::prefetch(std::size_t first, std::size_t last) const {
    impl_->advise(first, last, MADV_WILLNEED);
}

void DownProjections::release(std::size_t first, std::size_t last) const {
    impl_->advise(first, last, MADV_DONTNEED);
}

} // namespace valuelens
