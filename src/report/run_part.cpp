#include "report/parts.h"

#include <algorithm>
#include <map>

#include "base/utf8.h"
#include "valuelens/run.h"

namespace valuelens {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t example_bytes = 1200;

/// The response of a value and condition of which the judge is surest, either way.
struct Example {
    double probability = 0;
    std::string response;
};

struct ValueCounts {
    std::size_t expressing = 0, not_expressing = 0, undecided = 0, no_opinion = 0;
    std::optional<Example> highest, lowest;
};

using Key = std::pair<std::string, Condition>;

void count(ValueCounts & counts, const StoredLabel & stored) {
    const LabelRow & label = stored.label;
    if (label.expresses) {
        ++(*label.expresses ? counts.expressing : counts.not_expressing);
    } else {
        ++(label.probability ? counts.undecided : counts.no_opinion);
    }
    if (!label.expresses || !label.probability) {
        return;
    }
    const double p = *label.probability;
    std::optional<Example> & kept = *label.expresses ? counts.highest : counts.lowest;
    if (!kept || (*label.expresses ? p > kept->probability : p < kept->probability)) {
        kept = Example{p, label.response_id};
    }
}

Json concept_set(const RunDb & db) {
    const ConceptSet set = db.concepts();
    Json values = Json::array();
    for (const Concept & concept_ : set.concepts) {
        values.push_back({{"id", concept_.id},
                          {"name", concept_.name},
                          {"definition", concept_.definition},
                          {"domain", concept_.domain},
                          {"angle", concept_.angle ? Json(*concept_.angle) : Json()}});
    }
    return {{"name", set.name}, {"title", set.title}, {"source", set.source}, {"values", std::move(values)}};
}

Json judge(const RunDb & db, const RunSummary & summary) {
    const std::string check = db.meta("judge_check").value_or("");
    Json quality = Json::parse(check.empty() ? "null" : check, nullptr, false);
    return {{"name", summary.judge},
            {"quality_text", summary.judge_quality},
            {"quality", quality.is_object() ? std::move(quality) : Json()}};
}

class Texts {
public:
    Texts(const RunDb & db, const std::map<Key, ValueCounts> & counts) {
        for (const auto & [key, value] : counts) {
            for (const auto & example : {value.highest, value.lowest}) {
                if (example) {
                    wanted_[example->response] = Json();
                }
            }
        }
        std::map<std::string, std::string> queries;
        for (const Query & query : db.queries()) {
            queries[query.id] = query.text;
        }
        db.for_each_response({}, [&](const ResponseRow & row) {
            ++responses;
            cut += row.finish == "length" ? 1 : 0;
            tokens += row.tokens.size();
            if (const auto found = wanted_.find(row.id); found != wanted_.end()) {
                found->second = {{"query", shown(queries[row.query_id])},
                                 {"system", shown(row.system)},
                                 {"text", shown(row.text)},
                                 {"cut", row.finish == "length"}};
            }
        });
    }

    Json of(const std::string & response) const { return wanted_.at(response); }

    std::size_t responses = 0;
    std::size_t cut = 0;
    std::size_t tokens = 0;

private:
    static std::string shown(const std::string & text) {
        return text.size() <= example_bytes ? to_valid_utf8(text)
                                            : to_valid_utf8(std::string_view(text).substr(0, example_bytes)) + " ...";
    }

    std::map<std::string, Json> wanted_;
};

Json labels(const Json & values, const std::map<Key, ValueCounts> & counts) {
    Json list = Json::array();
    for (const Json & value : values) {
        for (const Condition condition : {Condition::intrinsic, Condition::prompted}) {
            const auto found = counts.find({value.at("id"), condition});
            const ValueCounts of = found == counts.end() ? ValueCounts{} : found->second;
            list.push_back({{"value", value.at("id")},
                            {"condition", to_string(condition)},
                            {"expressing", of.expressing},
                            {"not_expressing", of.not_expressing},
                            {"undecided", of.undecided},
                            {"no_opinion", of.no_opinion}});
        }
    }
    return list;
}

Json examples(const Json & values, const std::map<Key, ValueCounts> & counts, const Texts & texts) {
    Json list = Json::array();
    for (const Json & value : values) {
        for (const Condition condition : {Condition::intrinsic, Condition::prompted}) {
            const auto found = counts.find({value.at("id"), condition});
            if (found == counts.end()) {
                continue;
            }
            for (const auto & [example, expresses] :
                 {std::pair(found->second.highest, true), std::pair(found->second.lowest, false)}) {
                if (!example) {
                    continue;
                }
                Json entry = {{"value", value.at("id")},
                              {"condition", to_string(condition)},
                              {"expresses", expresses},
                              {"probability", rounded(example->probability)}};
                entry.update(texts.of(example->response));
                list.push_back(std::move(entry));
            }
        }
    }
    return list;
}

Json progress(const RunStatus & status) {
    return {{"slices_planned", status.slices_planned}, {"slices_generated", status.slices_generated},
            {"slices_judged", status.slices_judged},   {"shard", status.shard},
            {"has_vectors", status.has_vectors},       {"has_axes", status.has_axes},
            {"has_neurons", status.has_neurons},       {"next", status.next}};
}

} // namespace

Json run_part(const RunDb & db, const fs::path & folder) {
    const RunSummary summary = summarize_run(folder);
    const RunStatus status = run_status(folder);
    std::map<Key, ValueCounts> counts;
    db.for_each_label([&](const StoredLabel & stored) {
        count(counts[{stored.label.value_id, stored.condition}], stored);
    });
    const Texts texts(db, counts);
    Json concepts = concept_set(db);
    Json dropped = Json::array();
    for (const auto & [reason, n] : status.dropped) {
        dropped.push_back({{"reason", reason}, {"count", n}});
    }
    Json labelled = labels(concepts.at("values"), counts);
    Json shown = examples(concepts.at("values"), counts, texts);
    return {
        {"model",
         {{"name", db.meta("model_name").value_or("")},
          {"description", db.meta("model_description").value_or("")},
          {"identity", db.meta("model_identity").value_or("")}}},
        {"concept_set", std::move(concepts)},
        {"data",
         {{"queries", summary.queries},
          {"templates", db.counts().templates},
          {"intrinsic", status.intrinsic},
          {"prompted", status.prompted},
          {"responses", texts.responses},
          {"cut_at_max_tokens", texts.cut},
          {"tokens", texts.tokens},
          {"max_tokens", db.meta("generate.max_tokens").value_or("")},
          {"sampling", db.meta("generate.sampling").value_or("")}}},
        {"judge", judge(db, summary)},
        {"labels", std::move(labelled)},
        {"dropped", std::move(dropped)},
        {"progress", progress(status)},
        {"examples", std::move(shown)},
    };
}

} // namespace valuelens
