#include "engine/ablate_weights.h"

#include <ggml.h>
#include <gguf.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "base/fail.h"
#include "base/file.h"
#include "engine/backend.h"
#include "engine/gguf_file.h"
#include "engine/gguf_ptr.h"
#include "engine/mapped_file.h"
#include "valuelens/model.h"

namespace valuelens {
namespace {

/// How a tensor meets the residual stream.
enum class Role {
    keep,   ///< reads from it, or neither reads nor writes
    writes, ///< a matrix [n_embd, n_in] (or one per expert) whose product is added to it
    row,    ///< rows of n_embd numbers that are added to it: embeddings, biases
};

// Whatever stands neither here nor among those that write could act on the stream in a way that is not known.
constexpr std::array<std::string_view, 36> block_readers{
    "attn_norm",         "attn_norm_2",        "attn_q",        "attn_k",         "attn_v",
    "attn_qkv",          "attn_q_norm",        "attn_k_norm",   "attn_sinks",     "attn_q_a",
    "attn_q_a_norm",     "attn_q_b",           "attn_kv_a_mqa", "attn_kv_a_norm", "attn_kv_b",
    "attn_k_b",          "attn_v_b",           "attn_gate",     "attn_rot_embd",  "attn_sub_norm",
    "rope_freqs",        "ffn_norm",           "ffn_gate",      "ffn_up",         "ffn_gate_up",
    "ffn_sub_norm",      "ffn_gate_inp",       "ffn_gate_exps", "ffn_up_exps",    "ffn_gate_up_exps",
    "ffn_gate_shexp",    "ffn_gate_inp_shexp", "ffn_up_shexp",  "exp_probs_b",    "rope_factors_long",
    "rope_factors_short"};
constexpr std::array<std::string_view, 4> block_writers{"attn_output", "ffn_down", "ffn_down_exps", "ffn_down_shexp"};
constexpr std::array<std::string_view, 5> global_readers{"output_norm", "output", "rope_freqs", "rope_factors_long",
                                                         "rope_factors_short"};
constexpr std::array<std::string_view, 2> embeddings{"token_embd", "position_embd"};
// llama.cpp takes their output head from the embedding and from nowhere else.
constexpr std::array<std::string_view, 6> always_tied{"bitnet", "cohere2", "command-r", "gemma", "gemma2", "openelm"};

template <std::size_t n>
bool contains(const std::array<std::string_view, n> & list, std::string_view text) {
    return std::find(list.begin(), list.end(), text) != list.end();
}

/// Nothing: not known.
std::optional<Role> role_of(std::string_view name) {
    const bool of_block = name.starts_with("blk.");
    if (of_block) {
        const std::size_t dot = name.find('.', 4);
        name = dot == std::string_view::npos ? std::string_view() : name.substr(dot + 1);
    }
    const std::size_t dot = name.rfind('.');
    const std::string_view stem = name.substr(0, dot);
    const std::string_view ending = dot == std::string_view::npos ? std::string_view() : name.substr(dot + 1);
    if (of_block && contains(block_writers, stem)) {
        return ending == "weight" ? std::optional(Role::writes)
               : ending == "bias" ? std::optional(Role::row)
               // One number for a matrix: it commutes.
               : ending == "scale" || ending == "input_scale" ? std::optional(Role::keep)
                                                              : std::nullopt;
    }
    if (!of_block && contains(embeddings, stem) && ending == "weight") {
        return Role::row;
    }
    return (of_block ? contains(block_readers, stem) : contains(global_readers, stem)) ? std::optional(Role::keep)
                                                                                       : std::nullopt;
}

struct Source {
    std::string name;
    ggml_type type = GGML_TYPE_F32;
    int n_dims = 1;
    std::array<std::int64_t, GGML_MAX_DIMS> ne{1, 1, 1, 1};
    const char * data = nullptr;
    Role role = Role::keep;

    std::size_t width() const { return static_cast<std::size_t>(ne[0]); }
    std::size_t n_rows() const { return static_cast<std::size_t>(ne[1] * ne[2] * ne[3]); }
    std::size_t row_bytes() const { return ggml_row_size(type, ne[0]); }
    ggml_type new_type() const { return role != Role::keep && ggml_is_quantized(type) ? GGML_TYPE_F16 : type; }
};

class Ablation {
public:
    Ablation(const std::string & from, std::span<const float> direction) : path_(from) {
        check_gguf(from);
        ensure_backend();
        const ModelInfo info = read_model_info(from);
        n_embd_ = static_cast<std::size_t>(std::max(0, info.n_embd));
        architecture_ = info.architecture;
        name_ = info.name;
        set_direction(direction);
        for (const std::string & part : gguf_parts(from)) {
            open_part(part);
        }
        separate_head();
    }

    AblatedModel write(const std::filesystem::path & to, const std::map<std::string, std::string> & texts,
                       ProgressSink & progress, const std::stop_token & stop) {
        AtomicFile file(to);
        const std::vector<char> meta = header(texts);
        file.write(meta.data(), meta.size());
        progress.start("ablate", sources_.size(), "tensors");
        for (std::size_t i = 0; i < sources_.size(); ++i) {
            if (stop.stop_requested()) {
                fail(ErrorKind::interrupted, "stopped while {} was being written", to.string());
            }
            write_tensor(sources_[i], file);
            const std::string zeros(alignment, '\0');
            file.write(zeros.data(), (alignment - file.size() % alignment) % alignment);
            progress.advance(i + 1);
        }
        progress.finish();
        result_.bytes = file.size();
        file.commit();
        return result_;
    }

private:
    static constexpr std::size_t alignment = GGUF_DEFAULT_ALIGNMENT;

    void set_direction(std::span<const float> direction) {
        double squares = 0;
        for (const float x : direction) {
            squares += static_cast<double>(x) * static_cast<double>(x);
        }
        if (direction.size() != n_embd_ || !std::isfinite(squares) || squares == 0) {
            fail(ErrorKind::bad_input, "the direction has {} numbers and length {}; {} needs {} numbers, not all zero",
                 direction.size(), std::sqrt(squares), path_, n_embd_);
        }
        for (const float x : direction) {
            unit_.push_back(static_cast<double>(x) / std::sqrt(squares));
        }
    }

    void open_part(const std::string & part) {
        ggml_context * raw = nullptr;
        GgufPtr header(gguf_init_from_file(part.c_str(), gguf_init_params{/* no_alloc = */ true, &raw}));
        const GgmlPtr shapes(raw);
        if (!header) {
            fail(ErrorKind::model, "{}: its GGUF header cannot be read; fetch it again", part);
        }
        maps_.push_back(std::make_unique<MappedFile>(part));
        for (std::int64_t i = 0; i < gguf_get_n_tensors(header.get()); ++i) {
            const ggml_tensor * shape = ggml_get_tensor(shapes.get(), gguf_get_tensor_name(header.get(), i));
            Source source;
            source.name = gguf_get_tensor_name(header.get(), i);
            source.type = shape->type;
            source.n_dims = ggml_n_dims(shape);
            std::copy_n(shape->ne, GGML_MAX_DIMS, source.ne.begin());
            source.data =
                maps_.back()->data() + gguf_get_data_offset(header.get()) + gguf_get_tensor_offset(header.get(), i);
            source.role = checked_role(source);
            sources_.push_back(std::move(source));
        }
        if (!first_) {
            first_ = std::move(header);
        }
    }

    Role checked_role(const Source & source) const {
        const std::optional<Role> role = role_of(source.name);
        if (!role) {
            fail(ErrorKind::model,
                 "{}: tensor '{}' is not known to leave what the projections write as it is (a norm or another path to "
                 "the residual stream?), so a change of weights cannot stand for the ablation; use --steer with "
                 "mode=ablate",
                 path_, source.name);
        }
        const std::int64_t written = (*role == Role::row ? source.ne[0] : source.ne[1]);
        if (*role != Role::keep && written != static_cast<std::int64_t>(n_embd_)) {
            fail(ErrorKind::model, "{}: tensor '{}' has shape [{}], expected to write {} numbers", path_, source.name,
                 fmt::join(source.ne, ", "), n_embd_);
        }
        if (*role != Role::keep && source.type != GGML_TYPE_F32 && !ggml_get_type_traits(source.type)->to_float) {
            fail(ErrorKind::model, "{}: tensor '{}' has type {}, which ggml cannot turn into floating point", path_,
                 source.name, ggml_type_name(source.type));
        }
        return *role;
    }

    /// Where the head is the embedding, the head keeps the old weights under a name of its own.
    void separate_head() {
        const auto named = [&](const char * name) {
            return std::find_if(sources_.begin(), sources_.end(),
                                [&](const Source & each) { return each.name == name; });
        };
        const auto embedding = named("token_embd.weight");
        if (named("output.weight") != sources_.end() || embedding == sources_.end()) {
            return;
        }
        if (contains(always_tied, architecture_)) {
            fail(ErrorKind::model,
                 "{}: the output head of architecture {} is its embedding, which cannot be changed by itself; use "
                 "--steer with mode=ablate",
                 path_, architecture_);
        }
        Source head = *embedding;
        head.name = "output.weight";
        head.role = Role::keep;
        sources_.push_back(std::move(head));
        result_.untied = true;
    }

    std::vector<char> header(const std::map<std::string, std::string> & texts) {
        const GgufPtr header(gguf_init_empty());
        gguf_set_kv(header.get(), first_.get());
        for (const char * key : {"split.no", "split.count", "split.tensors.count", "general.alignment"}) {
            gguf_remove_key(header.get(), key);
        }
        gguf_set_val_str(header.get(), "general.name", (name_ + " (ablated)").c_str());
        for (const auto & [key, text] : texts) {
            gguf_set_val_str(header.get(), key.c_str(), text.c_str());
        }
        const GgmlPtr shapes(
            ggml_init({(sources_.size() + 1) * ggml_tensor_overhead(), nullptr, /* no_alloc = */ true}));
        for (const Source & source : sources_) {
            ggml_tensor * shape = ggml_new_tensor(shapes.get(), source.new_type(), source.n_dims, source.ne.data());
            ggml_set_name(shape, source.name.c_str());
            gguf_add_tensor(header.get(), shape);
        }
        std::vector<char> meta(gguf_get_meta_size(header.get()));
        gguf_get_meta_data(header.get(), meta.data());
        return meta;
    }

    void write_tensor(const Source & source, AtomicFile & file) {
        if (source.role == Role::keep) {
            file.write(source.data, source.row_bytes() * source.n_rows());
            return;
        }
        ++result_.n_changed;
        result_.n_widened += source.new_type() != source.type ? 1 : 0;
        if (source.role == Role::row) {
            for (std::size_t r = 0; r < source.n_rows(); ++r) {
                read_row(source, r);
                double along = 0;
                for (std::size_t i = 0; i < n_embd_; ++i) {
                    along += unit_[i] * static_cast<double>(row_[i]);
                }
                for (std::size_t i = 0; i < n_embd_; ++i) {
                    row_[i] = static_cast<float>(static_cast<double>(row_[i]) - along * unit_[i]);
                }
                write_row(source, file);
            }
            return;
        }
        for (std::size_t begin = 0; begin < source.n_rows(); begin += n_embd_) { // each expert
            std::vector<double> along(source.width());                           // u^T W
            for (std::size_t r = 0; r < n_embd_; ++r) {
                read_row(source, begin + r);
                for (std::size_t i = 0; i < along.size(); ++i) {
                    along[i] += unit_[r] * static_cast<double>(row_[i]);
                }
            }
            for (std::size_t r = 0; r < n_embd_; ++r) {
                read_row(source, begin + r);
                for (std::size_t i = 0; i < along.size(); ++i) {
                    row_[i] = static_cast<float>(static_cast<double>(row_[i]) - unit_[r] * along[i]);
                }
                write_row(source, file);
            }
        }
    }

    void read_row(const Source & source, std::size_t row) {
        row_.resize(source.width());
        const char * from = source.data + row * source.row_bytes();
        if (source.type == GGML_TYPE_F32) {
            std::memcpy(row_.data(), from, source.row_bytes());
        } else {
            ggml_get_type_traits(source.type)->to_float(from, row_.data(), source.ne[0]);
        }
    }

    void write_row(const Source & source, AtomicFile & file) {
        const ggml_type type = source.new_type();
        if (type == GGML_TYPE_F32) {
            file.write(row_.data(), row_.size() * sizeof(float));
            return;
        }
        bytes_.resize(ggml_row_size(type, source.ne[0]));
        ggml_get_type_traits(type)->from_float_ref(row_.data(), bytes_.data(), source.ne[0]);
        file.write(bytes_.data(), bytes_.size());
    }

    std::string path_;
    std::string architecture_;
    std::string name_;
    std::size_t n_embd_ = 0;
    std::vector<double> unit_;
    GgufPtr first_; ///< header of the first part, which has the keys
    std::vector<std::unique_ptr<MappedFile>> maps_;
    std::vector<Source> sources_;
    std::vector<float> row_;
    std::vector<char> bytes_;
    AblatedModel result_;
};

} // namespace

AblatedModel write_ablated_model(const std::string & from, const std::filesystem::path & to,
                                 std::span<const float> direction, const std::map<std::string, std::string> & texts,
                                 ProgressSink & progress, std::stop_token stop) {
    return Ablation(from, direction).write(to, texts, progress, stop);
}

} // namespace valuelens
