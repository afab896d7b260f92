#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "valuelens/concept_set.h"
#include "valuelens/query.h"
#include "valuelens/records.h"

namespace valuelens {

/// One response as the run keeps it.
struct ResponseRow {
    std::string id;           ///< "<query id>/intrinsic" or "<query id>/<value id>"
    std::size_t position = 0; ///< in the plan of the whole run; unique
    std::size_t slice = 0;
    std::string query_id;
    Condition condition = Condition::intrinsic;
    std::optional<std::string> value_id;    ///< prompted only
    std::optional<std::string> template_id; ///< prompted only
    std::string system;
    std::string prompt; ///< as rendered by the chat template
    std::vector<std::int32_t> prompt_tokens;
    std::string text;
    std::vector<std::int32_t> tokens; ///< response tokens, end of turn excluded
    double logprob_sum = 0;           ///< natural log, over `tokens`
    std::string finish;               ///< to_string(FinishReason)
};

/// A finished slice of the plan.
struct SliceRow {
    std::size_t slice = 0;
    std::size_t n = 0; ///< responses kept
    std::size_t first_position = 0;
    std::optional<std::string> shard; ///< file with the activations, relative to the run folder
    std::optional<std::string> shard_sha256;
    std::string stats = "{}"; ///< JSON
};

/// Something that was left out, and why.
struct DroppedRow {
    std::string stage;
    std::string item;   ///< id of the response, query, ...
    std::string reason; ///< the same words for the same cause: they are counted
};

struct LabelRow {
    std::string response_id;
    std::string value_id;
    std::optional<double> probability; ///< nothing: the judge has no opinion
    std::optional<bool> expresses;     ///< nothing: undecided or no opinion
};

/// A label with what it is about.
struct StoredLabel {
    LabelRow label;
    std::string query_id;
    Condition condition = Condition::intrinsic;
    std::size_t position = 0;
};

struct StageEvent {
    std::string stage;
    std::string event; ///< "started", "finished", "failed", ...
    std::string detail;
    std::string at; ///< UTC, ISO 8601
};

struct DroppedCount {
    std::string stage;
    std::string reason;
    std::size_t n = 0;
};

/// What the run holds, for `status`.
struct RunCounts {
    std::size_t concepts = 0;
    std::size_t queries = 0;
    std::size_t templates = 0;
    std::size_t slices = 0;
    std::size_t judge_slices = 0;
    std::size_t intrinsic = 0; ///< responses
    std::size_t prompted = 0;  ///< responses
    std::size_t labels = 0;    ///< all of the four below
    std::size_t expressing = 0;
    std::size_t not_expressing = 0;
    std::size_t undecided = 0;  ///< a probability inside the undecided band
    std::size_t no_opinion = 0; ///< no probability
    std::vector<DroppedCount> dropped;
};

enum class RunDbMode {
    read_only, ///< must exist; nothing is written
    existing,  ///< must exist
    create,    ///< made where it does not exist
};

/// The database of a run, `<run>/run.sqlite` (SQLite, WAL, synchronous=FULL: what a call has committed survives a power
/// cut). Each writing call is one transaction: it happens whole or not at all. Not thread-safe. What is read row by row
/// is not held: memory does not grow with the run.
///
/// A finished run can be read in a folder that cannot be written.
///
/// A full disk, a lock held by another process, a read-only or damaged file is an Error(bad_input) with a sentence; so
/// is a file that is no run database, or one of a newer valuelens. Writing the same item twice is Error(internal).
class RunDb {
public:
    RunDb(const std::filesystem::path & path, RunDbMode mode);
    ~RunDb();
    RunDb(RunDb &&) noexcept;

    const std::filesystem::path & path() const;

    std::optional<std::string> meta(const std::string & key) const;
    std::map<std::string, std::string> all_meta() const;
    void set_meta(const std::string & key, const std::string & value);

    /// Stores what the run is made from. Storing the same again does nothing; anything else than what the run already
    /// holds is an Error(usage): a run cannot change its inputs.
    void store_inputs(const ConceptSet & concepts, std::span<const Query> queries,
                      std::span<const PromptTemplate> templates);
    bool has_inputs() const;
    ConceptSet concepts() const;
    std::vector<Query> queries() const;
    std::vector<PromptTemplate> templates() const;

    /// Finishes a slice: its row, its responses and what was dropped from it; with `labels`, it is judged, too. The
    /// shard file must be in place before.
    void commit_slice(const SliceRow & slice, std::span<const ResponseRow> responses,
                      std::span<const DroppedRow> dropped, const std::vector<LabelRow> * labels = nullptr);
    /// By slice number.
    std::vector<SliceRow> slices() const;
    std::set<std::size_t> finished_slices() const;
    /// Forgets a slice with its responses, labels and drops, so that it is generated again.
    void remove_slice(std::size_t slice);

    /// Calls `row` for each response, of one slice or of all, ordered by position. `row` must not write to this
    /// database.
    void for_each_response(std::optional<std::size_t> slice,
                           const std::function<void(const ResponseRow &)> & row) const;

    /// Takes over the finished slices of another run's database: their rows, responses, labels and drops. Nothing of it
    /// is changed. A slice that is here already is Error(internal). One transaction.
    void import_slices(const RunDb & other);

    /// Marks a finished slice as judged and stores its labels.
    void commit_labels(std::size_t slice, std::span<const LabelRow> labels);
    /// Decides the labels anew: stores what `decide` says for each one (`expresses`); their probabilities stay. One
    /// transaction.
    void decide_labels(const std::function<std::optional<bool>(const LabelRow &)> & decide);
    std::set<std::size_t> finished_judge_slices() const;
    /// Calls `label` for all labels, ordered by position of the response, then by value as ordered in the concept set.
    /// `label` must not write to this database.
    void for_each_label(const std::function<void(const StoredLabel &)> & label) const;
    /// for_each_label() as a list: for few labels.
    std::vector<StoredLabel> labels() const;
    /// Forgets all labels (to judge anew) and sets these entries of meta(), in one transaction.
    void clear_labels(const std::map<std::string, std::string> & meta = {});

    /// Counts items a stage left out that belong to no slice.
    void add_dropped(std::span<const DroppedRow> dropped);
    std::vector<DroppedRow> dropped() const;
    RunCounts counts() const;

    void log_stage(const std::string & stage, const std::string & event, const std::string & detail = {});
    std::vector<StageEvent> stage_log() const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace valuelens
