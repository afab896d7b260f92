#include <algorithm>

#include "base/fail.h"
#include "math/parallel_for.h"
#include "neurons/categories.h"
#include "neurons/overlaps.h"
#include "neurons/plan.h"
#include "neurons/survey.h"
#include "valuelens/neurons.h"

namespace valuelens {

namespace {

/// [category] of the kept neurons of a plane.
std::vector<std::size_t> count_categories(const std::vector<Projection> & kept, const NeuronOptions & options) {
    std::vector<std::size_t> counts(n_category, 0);
    for (const Projection & projection : kept) {
        ++counts[static_cast<std::size_t>(category_of(angles_of(projection), options))];
    }
    return counts;
}

/// [group][category] the counts of random planes.
std::vector<std::vector<Null>> count_nulls(const NeuronSurvey & survey, const NeuronOptions & options) {
    std::vector<std::vector<Null>> nulls;
    for (const auto & draws : survey.draws) {
        std::vector<std::vector<std::size_t>> counts(draws.size());
        parallel_for(draws.size(), options.threads,
                     [&](std::size_t i) { counts[i] = count_categories(draws[i], options); });
        nulls.emplace_back();
        for (std::size_t category = 0; category < n_category; ++category) {
            std::vector<double> of_category;
            for (const std::vector<std::size_t> & draw : counts) {
                of_category.push_back(static_cast<double>(draw[category]));
            }
            nulls.back().push_back(null_of(of_category, options.confidence));
        }
    }
    return nulls;
}

/// How many neurons were to be kept for a value.
std::size_t wanted_count(const NeuronPlan & plan, const NeuronPlan::Value & value, const NeuronOptions & options,
                         const std::vector<std::size_t> & n_neuron) {
    std::size_t all = 0;
    std::size_t by_layer = 0;
    for (std::size_t layer = 0; layer < n_neuron.size(); ++layer) {
        if (plan.covers(value, layer)) {
            all += n_neuron[layer];
            by_layer += top_count(options.top_percent, n_neuron[layer]);
        }
    }
    return options.scope == NeuronScope::layer ? by_layer : top_count(options.top_percent, all);
}

} // namespace

NeuronTable find_neurons(const std::string & model_path, const AxisSet & axes, const NeuronOptions & options,
                         ProgressSink & progress, std::stop_token stop) {
    check_options(options);
    const DownProjections model(model_path);
    const NeuronPlan plan = plan_neurons(axes, options, model);
    const NeuronSurvey survey = survey_neurons(model, axes, plan, options, progress, stop);
    const std::vector<std::size_t> offsets = neuron_offsets(model);

    NeuronTable table;
    table.provenance = axes.provenance;
    table.provenance.tool_version = VALUELENS_VERSION;
    table.options = options;
    table.notes = model.notes();
    table.notes.insert(table.notes.end(), plan.notes.begin(), plan.notes.end());
    table.n_neuron = neurons_per_layer(model);
    table.overlaps = neuron_overlaps(survey, plan, options, offsets, model, table.n_neuron);

    const std::vector<std::vector<Null>> nulls = count_nulls(survey, options);
    for (std::size_t value = 0; value < plan.values.size(); ++value) {
        const std::string & name = axes.axes[plan.values[value].axes].value;
        table.values.push_back(name);
        std::vector<std::vector<std::size_t>> by_layer(model.n_layer(), std::vector<std::size_t>(n_category, 0));
        for (const Projection & projection : survey.values[value]) {
            const auto matrix = static_cast<std::size_t>(
                std::upper_bound(offsets.begin(), offsets.end(), projection.neuron) - offsets.begin() - 1);
            const DownProjection & place = model.matrices()[matrix];
            const Angles angles = angles_of(projection);
            const NeuronCategory category = category_of(angles, options);
            ++by_layer[static_cast<std::size_t>(place.layer)][static_cast<std::size_t>(category)];
            table.neurons.push_back({value,
                                     {place.layer, place.expert, static_cast<int>(projection.neuron - offsets[matrix])},
                                     projection.norm,
                                     angles.shared,
                                     angles.intrinsic,
                                     angles.prompted,
                                     category});
        }
        const std::vector<std::size_t> totals = count_categories(survey.values[value], options);
        std::vector<CategoryCount> counts;
        for (std::size_t category = 0; category < n_category; ++category) {
            counts.push_back({totals[category], nulls[plan.values[value].group][category]});
        }
        table.counts.push_back(std::move(counts));
        table.layer_counts.push_back(std::move(by_layer));

        const std::size_t wanted = wanted_count(plan, plan.values[value], options, table.n_neuron);
        if (survey.values[value].size() < wanted) {
            table.notes.push_back(fmt::format("{}: {} neurons were to be kept, only {} write into its plane", name,
                                              wanted, survey.values[value].size()));
        }
    }
    for (const std::string & note : table.notes) {
        progress.message(LogLevel::warning, note);
    }
    return table;
}

} // namespace valuelens
