#include "evaluate/summarize.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <set>

#include "base/fail.h"
#include "base/random.h"
#include "math/bootstrap.h"

namespace valuelens {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();
constexpr std::size_t overall = 0; ///< place of all items; group g stands at g + 1

/// Items as numbers: what is summed for each resample.
struct Table {
    std::vector<std::size_t> cluster;             ///< [item]
    std::vector<std::vector<std::size_t>> places; ///< [item] overall and its groups
    std::size_t n_clusters = 0;
    std::size_t n_places = 0;
    std::size_t n_variants = 0;
    std::size_t n_quantities = 0;
    const std::vector<EvaluationItem> * items = nullptr;

    std::size_t cells() const { return n_quantities * n_variants * n_places; }
    std::size_t cell(std::size_t quantity, std::size_t variant, std::size_t place) const {
        return (quantity * n_variants + variant) * n_places + place;
    }
    double score(std::size_t item, std::size_t quantity, std::size_t variant) const {
        return (*items)[item].scores[quantity][variant];
    }
};

/// Weighted sums of a cell: over the items that the variant has a score for, and over those that it shares with the
/// base.
struct Sums {
    double own = 0, own_weight = 0;
    double paired = 0, paired_base = 0, paired_weight = 0;
};

Table make_table(const Evaluation & evaluation, const std::vector<std::string> & groups) {
    Table table;
    table.items = &evaluation.items;
    table.n_places = groups.size() + 1;
    table.n_variants = evaluation.variants.size();
    table.n_quantities = evaluation.quantities.size();
    std::map<std::string, std::size_t> places;
    for (std::size_t group = 0; group < groups.size(); ++group) {
        places[groups[group]] = group + 1;
    }
    std::map<std::string, std::size_t> clusters;
    for (const EvaluationItem & item : evaluation.items) {
        table.cluster.push_back(clusters.emplace(item.cluster, clusters.size()).first->second);
        std::vector<std::size_t> & own = table.places.emplace_back(1, overall);
        for (const std::string & group : item.groups) {
            const auto found = places.find(group);
            if (found == places.end()) {
                fail(ErrorKind::internal, "item {} counts for '{}', which is no group", item.id, group);
            }
            own.push_back(found->second);
        }
    }
    table.n_clusters = clusters.size();
    return table;
}

std::vector<Sums> add_up(const Table & table, const std::vector<std::uint32_t> & weights) {
    std::vector<Sums> sums(table.cells());
    for (std::size_t item = 0; item < table.items->size(); ++item) {
        const auto weight = static_cast<double>(weights[table.cluster[item]]);
        if (weight == 0) {
            continue;
        }
        for (std::size_t quantity = 0; quantity < table.n_quantities; ++quantity) {
            for (std::size_t variant = 0; variant < table.n_variants; ++variant) {
                const double score = table.score(item, quantity, variant);
                if (std::isnan(score)) {
                    continue;
                }
                const SharedScore shared = (*table.items)[item].against_base(quantity, variant);
                for (const std::size_t place : table.places[item]) {
                    Sums & cell = sums[table.cell(quantity, variant, place)];
                    cell.own += weight * score;
                    cell.own_weight += weight;
                    if (!std::isnan(shared.base)) {
                        cell.paired += weight * shared.variant;
                        cell.paired_base += weight * shared.base;
                        cell.paired_weight += weight;
                    }
                }
            }
        }
    }
    return sums;
}

double aggregate(Aggregate how, double sum, double weight) {
    return weight == 0 ? nan : how == Aggregate::sum ? sum : sum / weight;
}

double own_value(const Sums & sums, Aggregate how) {
    return aggregate(how, sums.own, sums.own_weight);
}

double difference(const Sums & sums, Aggregate how) {
    return aggregate(how, sums.paired - sums.paired_base, sums.paired_weight);
}

/// A row's estimates for one set of weights: variants, then differences.
std::vector<double> row_values(const Table & table, const std::vector<Sums> & sums, const EvaluationMeasure & measure,
                               std::size_t quantity, std::size_t place) {
    std::vector<double> values;
    for (const auto & value : {own_value, difference}) {
        for (std::size_t variant = 0; variant < table.n_variants; ++variant) {
            const double all =
                measure.centred ? value(sums[table.cell(quantity, variant, overall)], measure.aggregate) : 0;
            values.push_back(value(sums[table.cell(quantity, variant, place)], measure.aggregate) - all);
        }
    }
    return values;
}

struct Cell {
    const EvaluationMeasure * measure;
    std::size_t quantity;
    std::size_t place;
};

std::vector<Cell> list_cells(const Evaluation & evaluation, const Table & table) {
    std::vector<bool> used(table.n_places, false);
    for (const auto & places : table.places) {
        for (const std::size_t place : places) {
            used[place] = true;
        }
    }
    std::vector<Cell> cells;
    for (const EvaluationMeasure & measure : evaluation.measures) {
        const auto found = std::find(evaluation.quantities.begin(), evaluation.quantities.end(), measure.quantity);
        if (found == evaluation.quantities.end()) {
            fail(ErrorKind::internal, "measure {} is made from '{}', which is not measured", measure.name,
                 measure.quantity);
        }
        const auto quantity = static_cast<std::size_t>(found - evaluation.quantities.begin());
        for (std::size_t place = 0; place < table.n_places; ++place) {
            if (used[place] && (place == overall ? !measure.centred : measure.grouped)) {
                cells.push_back({&measure, quantity, place});
            }
        }
    }
    return cells;
}

/// Items and clusters that stand behind a row's estimates, in the order of row_values().
struct Support {
    std::size_t items = 0;
    std::size_t clusters = 0;
};

std::vector<Support> support_of(const Table & table, const Cell & cell) {
    std::vector<Support> support(2 * table.n_variants);
    std::vector<std::set<std::size_t>> clusters(2 * table.n_variants);
    for (std::size_t item = 0; item < table.items->size(); ++item) {
        const std::vector<std::size_t> & places = table.places[item];
        if (std::find(places.begin(), places.end(), cell.place) == places.end()) {
            continue;
        }
        for (std::size_t variant = 0; variant < table.n_variants; ++variant) {
            if (std::isnan(table.score(item, cell.quantity, variant))) {
                continue;
            }
            clusters[variant].insert(table.cluster[item]);
            ++support[variant].items;
            if (!std::isnan((*table.items)[item].against_base(cell.quantity, variant).base)) {
                clusters[table.n_variants + variant].insert(table.cluster[item]);
                ++support[table.n_variants + variant].items;
            }
        }
    }
    for (std::size_t i = 0; i < support.size(); ++i) {
        support[i].clusters = clusters[i].size();
    }
    return support;
}

} // namespace

void summarize(Evaluation & evaluation, const std::vector<std::string> & groups) {
    const Table table = make_table(evaluation, groups);
    const std::vector<Cell> cells = list_cells(evaluation, table);

    const std::vector<Sums> sums = add_up(table, std::vector<std::uint32_t>(table.n_clusters, 1));
    std::vector<std::vector<std::vector<double>>> resampled; // [cell][value][resample]
    resampled.assign(cells.size(), std::vector<std::vector<double>>(2 * table.n_variants));
    const std::uint64_t seed = derive_seed(evaluation.seed, "evaluation");
    for (std::size_t resample = 0; resample < evaluation.bootstraps; ++resample) {
        const std::vector<Sums> drawn = add_up(table, bootstrap_weights(table.n_clusters, resample, seed));
        for (std::size_t i = 0; i < cells.size(); ++i) {
            const std::vector<double> values =
                row_values(table, drawn, *cells[i].measure, cells[i].quantity, cells[i].place);
            for (std::size_t k = 0; k < values.size(); ++k) {
                resampled[i][k].push_back(values[k]);
            }
        }
    }

    evaluation.rows.clear();
    for (std::size_t i = 0; i < cells.size(); ++i) {
        const Cell & cell = cells[i];
        EvaluationRow & row = evaluation.rows.emplace_back();
        row.measure = cell.measure->name;
        row.group = cell.place == overall ? "" : groups[cell.place - 1];
        const std::vector<double> values = row_values(table, sums, *cell.measure, cell.quantity, cell.place);
        const std::vector<Support> support = support_of(table, cell);
        std::vector<EvaluationScore> scores;
        for (std::size_t k = 0; k < values.size(); ++k) {
            EvaluationScore & score = scores.emplace_back();
            if (k == table.n_variants) {
                continue; // the base differs from itself in nothing
            }
            score.n = support[k].items;
            score.estimate.value = values[k];
            if (support[k].clusters >= 2 && evaluation.bootstraps > 0) {
                const Interval interval = percentile_interval(resampled[i][k], evaluation.confidence);
                score.estimate.low = interval.low;
                score.estimate.high = interval.high;
            }
        }
        const auto middle = scores.begin() + static_cast<std::ptrdiff_t>(table.n_variants);
        row.scores.assign(scores.begin(), middle);
        row.differences.assign(middle, scores.end());
    }
}

std::vector<std::size_t> sample_items(std::size_t n, std::size_t limit, std::uint64_t seed) {
    std::vector<std::size_t> positions(n);
    std::iota(positions.begin(), positions.end(), std::size_t{0});
    if (limit > 0 && limit < n) {
        Rng rng(derive_seed(seed, "evaluation sample"));
        rng.shuffle(positions);
        positions.resize(limit);
        std::sort(positions.begin(), positions.end());
    }
    return positions;
}

void note_drop(Evaluation & evaluation, const std::string & reason, const std::string & unit, std::size_t count,
               const std::string & variant) {
    if (count > 0) {
        evaluation.dropped.push_back({reason, unit, variant, count});
    }
}

} // namespace valuelens
