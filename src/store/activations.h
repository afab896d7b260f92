#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "store/safetensors.h"
#include "valuelens/vectors.h"

namespace valuelens {

/// How activations are stored. `f16_scaled`: each (response, layer) row divided by a power of two, kept in
/// `<tensor>_scale` (F32 [n, n_layer]; `last_logits_scale` [n]), such that the row's largest element lies in [2^14,
/// 2^15): nothing overflows, and an element keeps the 11 significant bits of F16 down to 2^-28 of the row's largest
/// one. Readers multiply back.
enum class ActivationFormat { f32, f16_scaled };

/// What one file of activations holds. 0 leaves the optional tensors out.
struct ActivationShape {
    std::size_t n_layer = 0;
    std::size_t n_embd = 0;
    std::size_t n_ff = 0;    ///< > 0: with `mlp_post` [n, n_layer, n_ff]
    std::size_t n_vocab = 0; ///< > 0: with `last_logits` [n, n_vocab]
    bool operator==(const ActivationShape &) const = default;
};

/// Writes an activation file: `resid_post` [n, n_layer, n_embd] and, where asked, `mlp_post` and `last_logits`,
/// streaming: each row goes straight to its place. The ids (n of them, in order) are known up front and stand as a JSON
/// list in the metadata key `ids`. The file appears at commit(), whole, or not at all.
class ActivationWriter {
public:
    /// Throws Error(bad_input) for an id that comes twice.
    ActivationWriter(const std::filesystem::path & path, const ActivationShape & shape, const Provenance & provenance,
                     ActivationFormat format, std::vector<std::string> ids);

    /// Writes the row of ids[index]; rows may come in any order, each once. Sizes must be those of the shape (empty
    /// spans for tensors the file does not have); anything else is Error(internal). A number that is not finite is an
    /// Error(bad_input) naming the id, the tensor and the layer; nothing of that row is then written.
    void write(std::size_t index, std::span<const float> resid_post, std::span<const float> mlp_post = {},
               std::span<const float> last_logits = {});

    /// Throws Error(internal) naming the first id whose row is missing.
    void commit();

private:
    void declare(const std::string & name, std::vector<std::size_t> shape);
    void check_finite(const std::string & id, const char * name, std::span<const float> row, std::size_t width) const;
    void write_tensor(const std::string & name, std::size_t index, std::span<const float> row, std::size_t width);

    std::filesystem::path path_;
    ActivationShape shape_;
    ActivationFormat format_;
    std::vector<std::string> ids_;
    std::vector<bool> written_;
    SafetensorsWriter writer_;
};

/// Reads activation files (the shards of a run, or one capture) as one list of responses, a row at a time from the
/// mapping. Safe for concurrent reads. Of the activations themselves only some megabytes stay in the process's memory,
/// however many there are; ids take some 12 bytes each beside their letters.
class ActivationReader {
public:
    /// Throws Error(bad_input): no path, an invalid file, shards that differ in shape, model or location, an id that
    /// comes twice.
    explicit ActivationReader(const std::vector<std::filesystem::path> & paths);

    std::size_t count() const { return ends_.size(); }
    std::string id(std::size_t index) const { return std::string(view(index)); }
    std::vector<std::string> ids() const;
    std::optional<std::size_t> find(const std::string & id) const;
    const ActivationShape & shape() const { return shape_; }
    const Provenance & provenance() const { return provenance_; }

    /// The file that holds a row, for messages.
    const std::filesystem::path & path_of(std::size_t index) const;

    /// resid_post of a response into `row` [n_layer * n_embd].
    void read(std::size_t index, std::span<float> row) const;
    /// resid_post of a response at one layer into `row` [n_embd]; touches no other part of the file.
    void read_layer(std::size_t index, std::size_t layer, std::span<float> row) const;
    /// mlp_post into `row` [n_layer * n_ff]. Throws Error(bad_input) where the files have none.
    void read_mlp_post(std::size_t index, std::span<float> row) const;
    /// last_logits into `row` [n_vocab]. Throws Error(bad_input) where the files have none.
    void read_last_logits(std::size_t index, std::span<float> row) const;

    /// Calls `row(id, resid_post [n_layer * n_embd])` for each response in order; the span is valid during the call.
    void for_each(const std::function<void(const std::string & id, std::span<const float> resid_post)> & row) const;

private:
    struct Shard {
        Shard(SafetensorsFile mapped, std::size_t first_index, std::size_t n)
            : file(std::move(mapped)), first(first_index), count(n) {}
        SafetensorsFile file;
        std::size_t first; ///< index of its first response
        std::size_t count;
        mutable std::atomic<bool> touched{false}; ///< since pages were released last
    };

    std::string_view view(std::size_t index) const;
    void sort_ids();
    void add_shard(const std::filesystem::path & path);
    const Shard & shard_of(std::size_t index) const;
    /// Blocks [first, first + row.size() / width) of the `blocks` that a row has; scales are stored by block.
    void read_blocks(const char * name, std::size_t index, std::span<float> row, std::size_t blocks, std::size_t width,
                     std::size_t first) const;
    void read_tensor(const char * name, std::size_t index, std::span<float> row, std::size_t blocks,
                     std::size_t width) const;

    std::deque<Shard> shards_;
    std::string id_text_;              ///< all ids, one after the other
    std::vector<std::uint64_t> ends_;  ///< [response] where its id ends
    std::vector<std::uint32_t> order_; ///< responses by id
    mutable ReadBudget budget_;
    ActivationShape shape_;
    Provenance provenance_;
};

} // namespace valuelens
