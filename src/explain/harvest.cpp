#include "explain/harvest.h"

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>

#include "base/fail.h"
#include "base/hash.h"
#include "engine/neuron_reader.h"

namespace valuelens {

namespace {

constexpr std::chrono::seconds between_checkpoints{20};

/// Cuts documents into windows, gathers these into batches and hands them to the model.
class HarvestRun {
public:
    HarvestRun(const Model & model, NeuronReader & reader, Harvester & harvester, const HarvestOptions & options,
               ProgressSink & progress, std::stop_token stop)
        : model_(model), reader_(reader), harvester_(harvester), options_(options), progress_(progress),
          stop_(std::move(stop)), bos_(model.tokenize("", true, false)), skip_(harvester.windows()) {}

    std::function<void()> save; ///< writes a checkpoint; empty: none
    HarvestCounts counts;

    void add(const CorpusDocument & document) {
        if (stop_.stop_requested()) {
            fail(ErrorKind::interrupted, "stopped");
        }
        if (options_.limit > 0 && counts.documents >= options_.limit) {
            return;
        }
        ++counts.documents;
        const std::vector<Token> tokens = model_.tokenize(document.text, false, false);
        const std::size_t room = options_.window - bos_.size();
        if (tokens.size() < least) {
            ++counts.short_documents;
        }
        for (std::size_t begin = 0; begin + least <= tokens.size(); begin += room) {
            const std::size_t end = std::min(tokens.size(), begin + room);
            if (skip_ > 0) {
                --skip_; // a harvest that goes on has it already
                continue;
            }
            CorpusWindow window{{tokens.begin() + static_cast<std::ptrdiff_t>(begin),
                                 tokens.begin() + static_cast<std::ptrdiff_t>(end)},
                                bos_.empty() ? std::size_t{1} : std::size_t{0}};
            windows_.push_back(std::move(window));
            if (windows_.size() == reader_.windows_at_once()) {
                read();
            }
        }
    }

    void finish() {
        if (!windows_.empty()) {
            read();
        }
    }

private:
    static constexpr std::size_t least = 2;

    void read() {
        std::vector<std::vector<Token>> contexts;
        for (const CorpusWindow & window : windows_) {
            std::vector<Token> & context = contexts.emplace_back(bos_);
            context.insert(context.end(), window.tokens.begin(), window.tokens.end());
        }
        const NeuronActivations & found = reader_.read(contexts, stop_);
        for (std::size_t i = 0; i < windows_.size(); ++i) {
            harvester_.add(windows_[i], found.values.data() + found.window_begins[i] + bos_.size(), found.n_row);
        }
        windows_.clear();
        progress_.advance(counts.documents, fmt::format("{} tokens", harvester_.tokens()));
        ++batches_;
        const auto now = std::chrono::steady_clock::now();
        const bool due = options_.checkpoint_every > 0 ? batches_ % options_.checkpoint_every == 0
                                                       : now - saved_ >= between_checkpoints;
        if (save && due) {
            save();
            saved_ = std::chrono::steady_clock::now();
        }
    }

    const Model & model_;
    NeuronReader & reader_;
    Harvester & harvester_;
    const HarvestOptions & options_;
    ProgressSink & progress_;
    std::stop_token stop_;
    std::vector<Token> bos_;
    std::uint64_t skip_; ///< windows that the harvester has seen
    std::vector<CorpusWindow> windows_;
    std::uint64_t batches_ = 0;
    std::chrono::steady_clock::time_point saved_ = std::chrono::steady_clock::now();
};

std::string counts_text(const HarvestCounts & counts, bool finished) {
    return nlohmann::ordered_json(
               {{"documents", counts.documents}, {"short_documents", counts.short_documents}, {"finished", finished}})
        .dump();
}

std::string harvest_identity(const ModelInfo & model, const SchedulerOptions & scheduler,
                             std::span<const NeuronId> neurons, const std::string & corpus,
                             const HarvestOptions & options) {
    Sha256 hash;
    hash.update(fmt::format("{} {} {} {} {} {} {} {} {}\n", VALUELENS_VERSION, model.identity, scheduler.kv_type,
                            scheduler.batch_size, options.window, options.top, options.random, options.limit,
                            options.seed));
    for (const NeuronId & id : neurons) {
        hash.update(fmt::format("{} {} {}\n", id.layer, id.expert, id.neuron));
    }
    hash.update(corpus);
    return hash.hex();
}

} // namespace

void check_options(const HarvestOptions & options) {
    if (options.window < 4 || options.window > 4096) {
        fail(ErrorKind::usage, "--window {}: expected 4 to 4096 tokens", options.window);
    }
}

Harvester harvest(const std::shared_ptr<Model> & model, const SchedulerOptions & scheduler,
                  const std::vector<NeuronId> & neurons, const Corpus & corpus, const HarvestOptions & options,
                  const std::filesystem::path & checkpoint, HarvestCounts & counts, ProgressSink & progress,
                  std::stop_token stop) {
    check_options(options);
    const auto begin = std::chrono::steady_clock::now();
    Harvester harvester(neurons, options);
    const CorpusContents contents = corpus.contents();
    const std::string identity = harvest_identity(model->info(), scheduler, neurons, contents.identity, options);
    counts.identity = identity;
    std::string before;
    if (!checkpoint.empty() && harvester.load(checkpoint, identity, before)) {
        const nlohmann::json json = nlohmann::json::parse(before, nullptr, false);
        if (json.is_object() && json.value("finished", false)) {
            counts.documents = json.value("documents", std::uint64_t{0});
            counts.short_documents = json.value("short_documents", std::uint64_t{0});
            return harvester;
        }
        progress.message(LogLevel::info, fmt::format("the harvest goes on after {} windows", harvester.windows()));
    }
    NeuronReader reader(model, neurons, options.window, static_cast<std::size_t>(scheduler.batch_size));
    HarvestRun run(*model, reader, harvester, options, progress, std::move(stop));
    if (!checkpoint.empty()) {
        run.save = [&] {
            harvester.save(checkpoint, identity, counts_text(run.counts, /* finished = */ false));
        };
    }
    progress.start("harvest",
                   options.limit > 0 ? std::min<std::uint64_t>(options.limit, contents.documents) : contents.documents,
                   "documents");
    try {
        corpus.for_each([&](const CorpusDocument & document) { run.add(document); });
        run.finish();
    } catch (const Error & error) {
        if (error.kind() == ErrorKind::interrupted && run.save && harvester.windows() > 0) {
            run.save(); // what was read since the last checkpoint is not read again
        }
        throw;
    }
    progress.finish();
    if (harvester.windows() == 0) {
        fail(ErrorKind::bad_input, "the corpus holds no document of two tokens or more");
    }
    if (!checkpoint.empty()) {
        harvester.save(checkpoint, identity, counts_text(run.counts, /* finished = */ true));
    }
    run.counts.identity = identity;
    counts = run.counts;
    counts.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    return harvester;
}

} // namespace valuelens
