#include "pipeline/explain_tools.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <type_traits>

#include "base/fail.h"
#include "base/file.h"
#include "concepts/csv_table.h"
#include "explain/job.h"
#include "explain/local_chat.h"
#include "explain/results.h"
#include "explain/simulation.h"
#include "pipeline/neuron_spec.h"
#include "pipeline/open_service.h"
#include "pipeline/output_apart.h"
#include "pipeline/run_setup.h"
#include "store/provenance.h"
#include "store/run_lock.h"
#include "valuelens/models.h"

namespace valuelens {

namespace {

struct Columns {
    std::size_t layer = 0;
    std::size_t neuron = 0;
    std::optional<std::size_t> expert;
    std::optional<std::size_t> value;
    std::optional<std::size_t> category;
    std::optional<std::size_t> norm;
};

struct Row {
    NeuronId id;
    NeuronRole role;
};

double read_norm(const std::string & cell, const std::string & where) {
    double norm = 0;
    const auto [end, problem] = std::from_chars(cell.data(), cell.data() + cell.size(), norm);
    if (problem != std::errc() || end != cell.data() + cell.size() || !std::isfinite(norm)) {
        fail(ErrorKind::bad_input, "{}: \"norm\" is \"{}\", expected a number", where, cell);
    }
    return norm;
}

bool is_among(const std::vector<std::string> & list, const std::string & word) {
    return std::find(list.begin(), list.end(), word) != list.end();
}

Row read_row(const Columns & columns, const std::vector<std::string> & cells, const std::string & where,
             const ModelInfo & model) {
    Row row;
    row.id.layer = read_neuron_number(cells[columns.layer], where, "layer", model.n_layer);
    row.id.expert = columns.expert ? read_neuron_expert(cells[*columns.expert], where, model) : dense_mlp;
    row.id.neuron = read_neuron_number(cells[columns.neuron], where, "neuron",
                                       row.id.expert == dense_mlp ? model.n_ff : std::numeric_limits<int>::max());
    if (columns.value) {
        row.role.value = cells[*columns.value];
        row.role.category = columns.category ? cells[*columns.category] : std::string();
        row.role.norm = columns.norm ? read_norm(cells[*columns.norm], where) : 0;
    }
    return row;
}

/// A slip of the pen must not leave out a part of what was asked for.
void require_known(const char * option, const std::vector<std::string> & asked, const std::set<std::string> & known,
                   const std::filesystem::path & table) {
    for (const std::string & word : asked) {
        if (!known.contains(word)) {
            const std::string list = fmt::format("{}", fmt::join(known, ", "));
            fail(ErrorKind::usage, "{} {}: {} has {}", option, word, table.string(),
                 list.empty() ? "none" : "only " + list);
        }
    }
}

/// Longest projection first within a value and category, and no more of these than are asked for.
std::vector<Row> longest(std::vector<Row> rows, std::size_t per_category, std::vector<std::string> & notes) {
    std::stable_sort(rows.begin(), rows.end(), [](const Row & a, const Row & b) { return a.role.norm > b.role.norm; });
    std::map<std::pair<std::string, std::string>, std::size_t> counts;
    const std::size_t before = rows.size();
    if (per_category > 0) {
        std::erase_if(rows, [&](const Row & row) {
            return ++counts[{row.role.value, row.role.category}] > per_category;
        });
    }
    if (rows.size() < before) {
        notes.push_back(fmt::format("{} of {} entries of the table are left out: the {} with the longest projection of "
                                    "each value and category are explained (--per-category)",
                                    before - rows.size(), before, per_category));
    }
    return rows;
}

/// Said before models are loaded, which may take long.
void require_files(const ExplainRequest & request) {
    for (const std::filesystem::path & corpus : request.corpora) {
        std::error_code ignored;
        if (!std::filesystem::exists(corpus, ignored)) {
            fail(ErrorKind::bad_input, "--corpus {}: there is no such file", corpus.string());
        }
    }
}

/// No output may take the place of what it is made from.
void require_explanations_apart(const ExplainRequest & request) {
    const std::filesystem::path & output = request.output;
    const std::filesystem::path companion = companion_of(output);
    const std::filesystem::path harvest = harvest_of(output);
    if (companion == output || harvest == output) {
        fail(ErrorKind::usage, "--output {}: a .json and a .harvest are written beside it; name a .jsonl file",
             output.string());
    }
    std::vector<std::filesystem::path> inputs = request.corpora;
    inputs.insert(inputs.end(), {request.neurons, companion_of(request.neurons), request.axes});
    const std::string named = "--output " + output.string();
    const std::vector<WrittenFile> written = {{named, output}, {named, companion}, {named, harvest}};
    require_output_apart(written, inputs);
}

} // namespace

std::vector<ChosenNeuron> load_chosen_neurons(const std::filesystem::path & table, const ModelInfo & model,
                                              const ExplainOptions & options, std::vector<std::string> & notes) {
    require_table_of_model(table, model);
    Columns columns;
    std::vector<Row> rows;
    std::set<std::pair<std::string, NeuronId>> seen;
    std::set<std::string> values;
    std::set<std::string> categories;
    std::size_t without_category = 0;
    for_each_csv_record(
        read_file(table), table.string(),
        [&](const CsvHeader & header) {
            columns = {header.need({"layer"}), header.need({"neuron"}),   header.find({"expert"}),
                       header.find({"value"}), header.find({"category"}), header.find({"norm"})};
        },
        [&](const std::vector<std::string> & cells, const std::string & where) {
            Row row = read_row(columns, cells, where, model);
            values.insert(row.role.value);
            categories.insert(row.role.category);
            if (!seen.insert({row.role.value, row.id}).second) {
                fail(ErrorKind::bad_input, "{}: neuron {} of layer {} comes twice", where, row.id.neuron, row.id.layer);
            }
            if (!options.values.empty() && !is_among(options.values, row.role.value)) {
                return;
            }
            if (options.categories.empty() ? columns.category && row.role.category == to_string(NeuronCategory::none)
                                           : !is_among(options.categories, row.role.category)) {
                ++without_category;
                return;
            }
            rows.push_back(std::move(row));
        });
    require_known("--values", options.values, values, table);
    require_known("--categories", options.categories, categories, table);
    if (without_category > 0) {
        notes.push_back(fmt::format("{} entries of the table are of other categories", without_category));
    }
    if (rows.empty()) {
        fail(ErrorKind::bad_input, "{}: holds no neuron of the values and categories asked for", table.string());
    }
    if (columns.value) {
        rows = longest(std::move(rows), options.per_category, notes);
    }
    std::map<NeuronId, ChosenNeuron> chosen;
    for (Row & row : rows) {
        ChosenNeuron & neuron = chosen[row.id];
        neuron.id = row.id;
        if (columns.value) {
            neuron.roles.push_back(std::move(row.role));
        }
    }
    std::vector<ChosenNeuron> neurons;
    for (auto & [id, neuron] : chosen) {
        neurons.push_back(std::move(neuron));
    }
    return neurons;
}

void fill_from_run(ExplainRequest & request, const std::filesystem::path & run, ProgressSink & progress,
                   std::stop_token stop) {
    if (!std::filesystem::exists(run / config_file)) {
        fail(ErrorKind::usage, "--run {}: is no run folder: it has no {}", run.string(), config_file);
    }
    const RunConfig config = load_run_config(run / config_file);
    const auto keep = [](auto & field, auto unset, auto value) {
        if (field == unset) {
            field = static_cast<std::remove_reference_t<decltype(field)>>(value);
        }
    };
    keep(request.model.threads, 0, config.threads);
    keep(request.model.n_gpu_layers, -1, config.n_gpu_layers);
    keep(request.model.date, ModelOptions{}.date, config.date);
    keep(request.scheduler.ctx_size, 0, config.ctx_size);
    if (request.scheduler.kv_type == "auto") {
        request.scheduler.kv_type = config.kv_type;
    }
    if (request.explainer.empty() && request.model.chat_template.empty()) { // the subject's own: it explains itself
        request.model.chat_template = config.chat_template;
        request.model.chat_template_kwargs = config.chat_template_kwargs;
    }
    const auto use = [&](std::filesystem::path & path, const char * name) {
        if (path.empty() && std::filesystem::exists(run / name)) {
            path = run / name;
        }
    };
    use(request.neurons, "neurons.csv");
    use(request.axes, "axes.safetensors");
    if (request.neurons.empty()) {
        fail(ErrorKind::usage, "--run {}: has no neurons.csv yet; `valuelens neurons --run {}` makes it", run.string(),
             run.string());
    }
    request.run = run;
    if (request.output.empty()) {
        request.output = run / "explanations.jsonl";
    }
    request.options.harvest.seed = static_cast<std::uint64_t>(config.seed);
    if (request.model.path.empty()) {
        request.model.path =
            resolve_model(config.model, {.threads = request.model.threads}, progress, std::move(stop)).string();
    }
}

ExplainSummary explain_neurons(const ExplainRequest & request, ProgressSink & progress, std::stop_token stop) {
    check_options(request.options, /* can_simulate = */ request.server.url.empty());
    require_files(request);
    require_explanations_apart(request);
    std::optional<RunLock> lock;
    if (!request.run.empty()) {
        lock.emplace(request.run, "valuelens explain");
    }
    AtomicFile{request.output}; // said before the work, not after it
    const ModelInfo info = read_model_info(request.model.path);
    ExplainJob job;
    job.neurons = load_chosen_neurons(request.neurons, info, request.options, job.notes);
    std::optional<AxisSet> axes;
    if (!request.axes.empty()) {
        axes = read_axes(request.axes);
        require_same_model(axes->provenance, info.identity, info.name, request.axes);
        job.axes = &*axes;
    }
    job.corpus = {request.corpora, request.run};
    job.output = request.output;
    job.scheduler = request.scheduler;
    std::unique_ptr<ChatService> service;
    if (!request.server.url.empty()) {
        service = open_service(request.server, "--url", progress, stop);
        job.explainer = fmt::format("{} on a server", service->model());
    }
    job.subject = Model::load(request.model, progress, stop);
    std::unique_ptr<Simulator> simulator;
    if (!service) {
        std::shared_ptr<Model> explainer = job.subject;
        if (!request.explainer.empty() && request.explainer != request.model.path) {
            ModelOptions other = request.model;
            other.path = request.explainer;
            explainer = Model::load(other, progress, stop);
        } else {
            job.notes.emplace_back("the subject explains and scores its own neurons; a stronger --explainer or a --url "
                                   "says more");
        }
        job.explainer = fmt::format("{} ({})", explainer->info().name, explainer->info().identity.substr(0, 12));
        // The model's own template is part of its identity.
        const ModelOptions & given = explainer->options();
        job.explainer_settings = nlohmann::json({given.chat_template, given.chat_template_kwargs, given.date}).dump();
        if (std::find(request.options.scores.begin(), request.options.scores.end(), ScoreKind::simulation) !=
            request.options.scores.end()) {
            simulator = make_local_simulator(explainer, request.scheduler);
        }
        job.simulator = simulator.get();
        service = make_local_chat(explainer, request.scheduler);
    }
    job.service = service.get();
    for (const std::string & note : job.notes) {
        progress.message(LogLevel::info, note);
    }
    return run_explain(job, request.options, progress, stop);
}

} // namespace valuelens
