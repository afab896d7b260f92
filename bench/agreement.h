#pragma once

#include <algorithm>
#include <cstddef>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "base/fail.h"
#include "bench/main_job.h"
#include "bench/timing.h"
#include "math/correlation.h"
#include "math/vector_ops.h"

namespace valuelens::bench {

/// How far two sides that did the same work came to the same results.
struct Agreement {
    std::size_t responses = 0;
    std::size_t equal_responses = 0;
    double equal_beginning = 0; ///< mean share of a response's tokens before the first that differs
    std::size_t judgements = 0;
    double log_odds_correlation = 0;       ///< over all judgements
    double log_odds_correlation_equal = 0; ///< over those of equal responses
    Spread mean_cosine;                    ///< of equal responses' means, over responses and blocks
    Spread v_cosine;             ///< of the values' vectors from each side's own labels, over values and blocks
    Spread v_cosine_same_labels; ///< the same with one side's labels for both
};

/// Throws where the sides did not do the same work: a comparison of their times would mean nothing.
inline void require_same_work(const MainJobResult & ours, const MainJobResult & peer) {
    if (ours.prompts.size() != peer.prompts.size()) {
        fail(ErrorKind::internal, "unequal work: {} prompts here, {} there", ours.prompts.size(), peer.prompts.size());
    }
    for (std::size_t i = 0; i < ours.prompts.size(); ++i) {
        if (ours.prompts[i] != peer.prompts[i]) {
            fail(ErrorKind::internal, "unequal work: prompt {} has other tokens ({} here, {} there)", i,
                 ours.prompts[i].size(), peer.prompts[i].size());
        }
        if (ours.responses[i].size() != peer.responses[i].size()) {
            fail(ErrorKind::internal, "unequal work: response {} has {} tokens here, {} there", i,
                 ours.responses[i].size(), peer.responses[i].size());
        }
    }
    if (ours.judged.size() != peer.judged.size()) {
        fail(ErrorKind::internal, "unequal work: {} judgements here, {} there", ours.judged.size(), peer.judged.size());
    }
    for (std::size_t i = 0; i < ours.judged.size(); ++i) {
        const Judged & a = ours.judged[i];
        const Judged & b = peer.judged[i];
        // A character that the length limit cut in two is left out here and a replacement character there.
        constexpr std::size_t slack = 3;
        const bool equal_text = ours.responses[a.job] == peer.responses[b.job];
        if (a.job != b.job || a.value != b.value ||
            (equal_text && (a.tokens > b.tokens + slack || b.tokens > a.tokens + slack))) {
            fail(ErrorKind::internal,
                 "unequal work: judgement {} is {} of job {} ({} tokens) here, {} of {} ({}) there", i, a.value, a.job,
                 a.tokens, b.value, b.job, b.tokens);
        }
    }
}

/// For each of the values: which intrinsic jobs express it, those above the median of the log-odds.
inline std::map<std::string, std::vector<bool>> labels_of(const MainJobResult & side, std::size_t intrinsic) {
    std::map<std::string, std::vector<double>> odds;
    for (const Judged & judged : side.judged) {
        if (judged.job < intrinsic) {
            odds[judged.value].push_back(judged.log_odds);
        }
    }
    std::map<std::string, std::vector<bool>> labels;
    for (const auto & [value, numbers] : odds) {
        const double median = spread(numbers).median;
        for (const double number : numbers) {
            labels[value].push_back(number > median);
        }
    }
    return labels;
}

inline Spread vector_cosines(const MainJobResult & a, const std::map<std::string, std::vector<bool>> & labels_a,
                             const MainJobResult & b, const std::map<std::string, std::vector<bool>> & labels_b,
                             std::size_t n_layer, std::size_t n_embd) {
    const auto vector_of = [&](const MainJobResult & side, const std::vector<bool> & labels, std::size_t layer) {
        std::vector<double> sums[2] = {std::vector<double>(n_embd), std::vector<double>(n_embd)};
        const auto n_true = static_cast<double>(std::count(labels.begin(), labels.end(), true));
        for (std::size_t job = 0; job < labels.size(); ++job) {
            for (std::size_t i = 0; i < n_embd; ++i) {
                sums[labels[job] ? 1 : 0][i] += static_cast<double>(side.means[(job * n_layer + layer) * n_embd + i]);
            }
        }
        for (std::size_t i = 0; i < n_embd; ++i) {
            sums[1][i] = sums[1][i] / n_true - sums[0][i] / (static_cast<double>(labels.size()) - n_true);
        }
        return sums[1];
    };
    std::vector<double> cosines;
    for (const auto & [value, labels] : labels_a) {
        // transformers gives the last block's output after the final norm.
        for (std::size_t layer = 0; layer + 1 < n_layer; ++layer) {
            cosines.push_back(cosine(vector_of(a, labels, layer), vector_of(b, labels_b.at(value), layer)));
        }
    }
    return spread(cosines);
}

inline Agreement compare(const MainJobResult & ours, const MainJobResult & peer, std::size_t n_layer,
                         std::size_t n_embd) {
    Agreement result;
    result.responses = ours.responses.size();
    std::vector<bool> equal;
    std::vector<double> mean_cosines;
    for (std::size_t i = 0; i < result.responses; ++i) {
        const std::vector<Token> & a = ours.responses[i];
        const std::vector<Token> & b = peer.responses[i];
        const auto first = std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first;
        equal.push_back(a == b);
        result.equal_responses += a == b ? 1 : 0;
        result.equal_beginning +=
            static_cast<double>(first - a.begin()) / static_cast<double>(a.size() * result.responses);
        for (std::size_t layer = 0; a == b && layer + 1 < n_layer; ++layer) {
            const std::size_t at = (i * n_layer + layer) * n_embd;
            mean_cosines.push_back(
                cosine(std::span(ours.means).subspan(at, n_embd), std::span(peer.means).subspan(at, n_embd)));
        }
    }
    std::vector<double> odds[2];
    std::vector<double> odds_equal[2];
    for (std::size_t i = 0; i < ours.judged.size(); ++i) {
        odds[0].push_back(ours.judged[i].log_odds);
        odds[1].push_back(peer.judged[i].log_odds);
        if (equal[ours.judged[i].job]) {
            odds_equal[0].push_back(ours.judged[i].log_odds);
            odds_equal[1].push_back(peer.judged[i].log_odds);
        }
    }
    result.judgements = ours.judged.size();
    result.log_odds_correlation = pearson(odds[0], odds[1]);
    result.log_odds_correlation_equal = pearson(odds_equal[0], odds_equal[1]);
    if (!mean_cosines.empty()) {
        result.mean_cosine = spread(mean_cosines);
    }
    const auto labels_ours = labels_of(ours, ours.prompts.size() / 2);
    const auto labels_peer = labels_of(peer, peer.prompts.size() / 2);
    result.v_cosine = vector_cosines(ours, labels_ours, peer, labels_peer, n_layer, n_embd);
    result.v_cosine_same_labels = vector_cosines(ours, labels_peer, peer, labels_peer, n_layer, n_embd);
    return result;
}

} // namespace valuelens::bench
