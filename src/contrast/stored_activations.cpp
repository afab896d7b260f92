#include "contrast/stored_activations.h"

#include <algorithm>
#include <map>
#include <set>

#include "base/fail.h"

namespace valuelens {
namespace {

std::vector<std::string> values_of(const std::vector<Label> & labels) {
    std::set<std::string> names;
    for (const Label & label : labels) {
        names.insert(label.value);
    }
    return {names.begin(), names.end()};
}

/// Adds a label to what is known of its response.
void add_label(LabelledResponse & response, const Label & label, std::size_t value, const std::string & labels_name) {
    if (!response.labels.empty() && response.condition != label.condition) {
        fail(ErrorKind::bad_input,
             "{}: response '{}' is labelled both intrinsic and prompted; a response has one condition, give each its "
             "own id",
             labels_name, label.id);
    }
    if (!response.query.empty() && !label.query.empty() && response.query != label.query) {
        fail(ErrorKind::bad_input, "{}: response '{}' has two queries, '{}' and '{}'; expected one", labels_name,
             label.id, response.query, label.query);
    }
    for (const auto & [known, expresses] : response.labels) {
        if (known == value) {
            fail(ErrorKind::bad_input,
                 "{}: response '{}' is labelled twice for value '{}'; expected one label for each pair", labels_name,
                 label.id, label.value);
        }
    }
    response.condition = label.condition;
    if (!label.query.empty()) {
        response.query = label.query;
    }
    response.labels.emplace_back(value, label.expresses);
}

} // namespace

std::string files_name(const std::vector<std::filesystem::path> & paths) {
    return paths.size() == 1 ? paths.front().string()
                             : fmt::format("{} and {} more", paths.front().string(), paths.size() - 1);
}

JoinedLabels join_labels(const ActivationReader & activations, const std::vector<Label> & labels,
                         const std::vector<std::string> & values, const std::string & labels_name,
                         const std::string & activations_name) {
    JoinedLabels joined;
    joined.values = values.empty() ? values_of(labels) : values;
    std::map<std::string, std::size_t> places;
    for (std::size_t i = 0; i < joined.values.size(); ++i) {
        places.emplace(joined.values[i], i);
    }

    std::map<std::size_t, LabelledResponse> by_row;
    std::set<std::string> missing;
    std::size_t missing_labels = 0;
    for (const Label & label : labels) {
        const auto value = places.find(label.value);
        if (value == places.end()) {
            fail(ErrorKind::bad_input,
                 "{}: response '{}' has a label for value '{}', which is not in the concept set; expected one of {}",
                 labels_name, label.id, label.value, fmt::join(joined.values, ", "));
        }
        const std::optional<std::size_t> row = activations.find(label.id);
        if (!row) {
            missing.insert(label.id);
            ++missing_labels;
            continue;
        }
        LabelledResponse & response = by_row[*row];
        response.row = *row;
        add_label(response, label, value->second, labels_name);
    }

    if (labels.empty()) {
        fail(ErrorKind::bad_input, "{}: there are no labels", labels_name);
    }
    if (by_row.empty()) {
        fail(ErrorKind::bad_input,
             "{}: none of its {} ids is among the {} of {} (it begins with '{}', they with '{}'); label the responses "
             "that were captured",
             labels_name, missing.size(), activations.count(), activations_name, labels.front().id,
             activations.count() > 0 ? activations.ids().front() : "");
    }
    if (!missing.empty()) {
        joined.notes.push_back(
            fmt::format("{} labelled responses ({} labels) have no activations and were left out, for example '{}'",
                        missing.size(), missing_labels, *missing.begin()));
    }
    if (by_row.size() < activations.count()) {
        std::size_t first = 0;
        while (by_row.count(first) != 0) {
            ++first;
        }
        joined.notes.push_back(fmt::format("{} of {} responses with activations have no label, for example '{}'",
                                           activations.count() - by_row.size(), activations.count(),
                                           activations.ids()[first]));
    }
    for (auto & [row, response] : by_row) {
        joined.responses.push_back(std::move(response));
    }
    return joined;
}

} // namespace valuelens
