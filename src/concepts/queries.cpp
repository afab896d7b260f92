#include <algorithm>
#include <array>
#include <numeric>
#include <unordered_set>

#include "base/file.h"
#include "base/random.h"
#include "concepts/query_formats.h"
#include "concepts/shipped.h"
#include "concepts/unique_ids.h"
#include "valuelens/query.h"

namespace valuelens {

namespace {

/// Ids of foreign data sets are theirs to repeat (ShareGPT cuts long conversations); ours must be unique.
std::string unused_id(const std::string & wanted, const UniqueIds & used) {
    std::string id = wanted;
    for (int copy = 2; used.contains(id); ++copy) {
        id = fmt::format("{}-{}", wanted, copy);
    }
    return id;
}

void keep_some(std::vector<Query> & queries, const QueryOptions & options) {
    if (options.limit == 0 || queries.size() <= options.limit) {
        return;
    }
    if (options.sample) {
        std::vector<std::size_t> order(queries.size());
        std::iota(order.begin(), order.end(), std::size_t{0});
        Rng(derive_seed(options.seed, "queries")).shuffle(order);
        order.resize(options.limit);
        std::sort(order.begin(), order.end());
        std::vector<Query> sample;
        for (const std::size_t position : order) {
            sample.push_back(std::move(queries[position]));
        }
        queries = std::move(sample);
    }
    queries.resize(options.limit);
}

QuerySet parse_queries(std::string_view text, const std::string & name, const QueryOptions & options) {
    const QueryFormat format = options.format == QueryFormat::detect ? detect_query_format(text, name) : options.format;
    if (!options.language.empty() && format != QueryFormat::lmsys) {
        fail(ErrorKind::usage, "{}: a language can be chosen only for LMSYS conversations, which state theirs", name);
    }
    QuerySet set;
    set.format = format;
    UniqueIds ids;
    std::unordered_set<std::string> texts;
    read_queries(text, name, format, [&](RawQuery && raw) {
        if (!options.language.empty() && !raw.language) {
            fail(ErrorKind::bad_input, "{}: \"language\" is missing, but only {} conversations are wanted", raw.where,
                 options.language);
        }
        if (!options.language.empty() && *raw.language != options.language) {
            ++set.filtered;
            return;
        }
        if (!raw.has_user_turn) {
            ++set.without_user;
            return;
        }
        if (!texts.insert(raw.text).second) {
            ++set.duplicates;
            return;
        }
        std::string id = raw.id.value_or(raw.fallback_id);
        if (format != QueryFormat::jsonl) {
            id = unused_id(id, ids);
        }
        ids.add(id, raw.where);
        set.queries.push_back({std::move(id), std::move(raw.text), std::move(raw.topic)});
    });
    if (set.queries.empty()) {
        const std::string reason = set.filtered + set.without_user == 0
                                       ? "is empty"
                                       : fmt::format("{} conversations in other languages and {} without a user turn "
                                                     "were left out",
                                                     set.filtered, set.without_user);
        fail(ErrorKind::bad_input, "{}: holds no query to use ({})", name, reason);
    }
    keep_some(set.queries, options);
    return set;
}

/// In the order of the enumeration.
const std::array<std::string, 6> format_names = {"detect", "jsonl", "sharegpt", "lmsys", "text", "value_portrait"};

} // namespace

const std::string & query_format_name(QueryFormat format) {
    return format_names.at(static_cast<std::size_t>(format));
}

std::optional<QueryFormat> query_format_named(const std::string & name) {
    const auto found = std::find(format_names.begin(), format_names.end(), name);
    return found == format_names.end() ? std::nullopt
                                       : std::optional(static_cast<QueryFormat>(found - format_names.begin()));
}

QuerySet shipped_queries(const QueryOptions & options) {
    const ShippedText shipped = shipped_text("queries/everyday.jsonl");
    QueryOptions own = options;
    own.format = QueryFormat::jsonl;
    return parse_queries(shipped.text, shipped.name, own);
}

QuerySet load_queries(const std::filesystem::path & path, const QueryOptions & options) {
    return parse_queries(read_file(path), path.string(), options);
}

} // namespace valuelens
