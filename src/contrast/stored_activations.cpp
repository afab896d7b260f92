#include "contrast/stored_activations.h"

#include <algorithm>

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

LabelJoin::LabelJoin(const ActivationReader & activations, std::vector<std::string> values, std::string labels_name,
                     std::string activations_name)
    : activations_(activations), labels_name_(std::move(labels_name)), activations_name_(std::move(activations_name)),
      response_of_row_(activations.count(), 0) {
    joined_.values = std::move(values);
    for (std::size_t i = 0; i < joined_.values.size(); ++i) {
        places_.emplace(joined_.values[i], i);
    }
}

void LabelJoin::add(const Label & label) {
    if (n_labels_++ == 0) {
        first_id_ = label.id;
    }
    const auto value = places_.find(label.value);
    if (value == places_.end()) {
        fail(ErrorKind::bad_input,
             "{}: response '{}' has a label for value '{}', which is not in the concept set; expected one of {}",
             labels_name_, label.id, label.value, fmt::join(joined_.values, ", "));
    }
    const std::optional<std::size_t> row = activations_.find(label.id);
    if (!row) {
        missing_.insert(label.id);
        ++missing_labels_;
        return;
    }
    std::uint32_t & number = response_of_row_[*row];
    if (number == 0) {
        joined_.responses.emplace_back().row = *row;
        number = static_cast<std::uint32_t>(joined_.responses.size());
    }
    add_label(joined_.responses[number - 1], label, value->second, labels_name_);
}

JoinedLabels LabelJoin::finish() {
    const std::size_t n_found = joined_.responses.size();
    if (n_labels_ == 0) {
        fail(ErrorKind::bad_input, "{}: there are no labels", labels_name_);
    }
    if (n_found == 0) {
        fail(ErrorKind::bad_input,
             "{}: none of its {} ids is among the {} of {} (it begins with '{}', they with '{}'); label the responses "
             "that were captured",
             labels_name_, missing_.size(), activations_.count(), activations_name_, first_id_,
             activations_.count() > 0 ? activations_.id(0) : "");
    }
    if (!missing_.empty()) {
        joined_.notes.push_back(
            fmt::format("{} labelled responses ({} labels) have no activations and were left out, for example '{}'",
                        missing_.size(), missing_labels_, *missing_.begin()));
    }
    if (n_found < activations_.count()) {
        const auto first = std::find(response_of_row_.begin(), response_of_row_.end(), 0U) - response_of_row_.begin();
        joined_.notes.push_back(fmt::format("{} of {} responses with activations have no label, for example '{}'",
                                            activations_.count() - n_found, activations_.count(),
                                            activations_.id(static_cast<std::size_t>(first))));
    }
    std::sort(joined_.responses.begin(), joined_.responses.end(),
              [](const LabelledResponse & left, const LabelledResponse & right) { return left.row < right.row; });
    return std::move(joined_);
}

JoinedLabels join_labels(const ActivationReader & activations, const std::vector<Label> & labels,
                         const std::vector<std::string> & values, const std::string & labels_name,
                         const std::string & activations_name) {
    LabelJoin join(activations, values.empty() ? values_of(labels) : values, labels_name, activations_name);
    for (const Label & label : labels) {
        join.add(label);
    }
    return join.finish();
}

} // namespace valuelens
