// The main job, ours and a transformers pipeline's, in one run: the same weights, prompts, lengths and questions, in
// turn. scripts/peer_setup.sh makes what it needs.

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <cstdlib>
#include <nlohmann/json.hpp>
#include <thread>

#include "bench/agreement.h"
#include "bench/main_job.h"
#include "bench/peer_process.h"
#include "bench/timing.h"
#include "valuelens/models.h"

using namespace valuelens;
using bench::MainJobResult;
using bench::Spread;
using nlohmann::ordered_json;

namespace {

struct Options {
    std::string model = "smollm2-135m:bf16";
    std::string root = ".";
    std::string shared;
    std::string python;
    std::string dense;
    std::string peer_precision = "bfloat16";
    int queries = 24;
    int new_tokens = 48;
    int pairs = 3;
    int threads = 0;
    int parallel = 48;
    int batch_size = 512;
    int peer_batch = 32;
    bool ours_only = false;
    bool no_warm_up = false;
    bool json = false;
};

std::filesystem::path peer_home() {
    for (const auto & [variable, below] :
         {std::pair("VALUELENS_HOME", ""), {"XDG_CACHE_HOME", "valuelens"}, {"HOME", ".cache/valuelens"}}) {
        const char * value = std::getenv(variable);
        if (value != nullptr && *value != '\0') {
            return std::filesystem::path(value) / below / "peer";
        }
    }
    return "peer";
}

void require_file(const std::filesystem::path & path, const std::string & what) {
    if (!std::filesystem::exists(path)) {
        fail(ErrorKind::bad_input, "{} is not there: {}", path.string(), what);
    }
}

ordered_json to_json(const Spread & figures) {
    return {{"least", figures.low}, {"median", figures.median}, {"most", figures.high}};
}

/// What one side's runs took.
struct Figures {
    std::vector<double> generate, judge, capture, total, processor;
    std::vector<double> tokens_per_second; ///< generated
    double peak_mib = 0;                   ///< of the first run

    void add(const MainJobResult & run) {
        double tokens = 0;
        for (const auto & response : run.responses) {
            tokens += static_cast<double>(response.size());
        }
        generate.push_back(run.generate.seconds);
        judge.push_back(run.judge.seconds);
        capture.push_back(run.capture.seconds);
        total.push_back(run.seconds());
        processor.push_back(run.processor_seconds());
        tokens_per_second.push_back(tokens / run.generate.seconds);
    }

    ordered_json json() const {
        return {{"total_s", to_json(bench::spread(total))},
                {"stages_s",
                 {{"generate", to_json(bench::spread(generate))},
                  {"judge", to_json(bench::spread(judge))},
                  {"capture", to_json(bench::spread(capture))}}},
                {"processor_s", to_json(bench::spread(processor))},
                {"generated_tokens_per_s", to_json(bench::spread(tokens_per_second))},
                {"peak_mib", peak_mib}};
    }
};

/// Our scheduler's own figures of one run.
struct Inside {
    std::vector<double> decode_share, hook_share;
    SchedulerStats generating, judging;

    /// `seconds`: of the whole job, rendering of prompts and reading of answers included.
    void add(double seconds) {
        decode_share.push_back((generating.decode_seconds + judging.decode_seconds) / seconds);
        hook_share.push_back((generating.hook_seconds + judging.hook_seconds) / seconds);
    }

    static ordered_json work(const SchedulerStats & stats) {
        return {{"prompt_tokens", stats.prompt_tokens},
                {"shared_tokens", stats.shared_tokens},
                {"decoded_tokens", stats.decoded_tokens},
                {"decodes", stats.decodes}};
    }
};

ordered_json to_json(const bench::Agreement & found) {
    return {{"responses", found.responses},
            {"equal_responses", found.equal_responses},
            {"equal_beginning", found.equal_beginning},
            {"judgements", found.judgements},
            {"log_odds_correlation", found.log_odds_correlation},
            {"log_odds_correlation_equal_responses", found.log_odds_correlation_equal},
            {"mean_cosine_equal_responses", to_json(found.mean_cosine)},
            {"v_cosine", to_json(found.v_cosine)},
            {"v_cosine_same_labels", to_json(found.v_cosine_same_labels)}};
}

void print_row(const char * name, const std::vector<double> & ours, const std::vector<double> & peer) {
    const Spread a = bench::spread(ours);
    fmt::print("{:<22}{:>8.2f}{:>8.2f}{:>8.2f}", name, a.low, a.median, a.high);
    if (!peer.empty()) {
        const Spread b = bench::spread(peer);
        fmt::print("  {:>8.2f}{:>8.2f}{:>8.2f}", b.low, b.median, b.high);
    }
    fmt::print("\n");
}

int run(Options options) {
    options.threads =
        options.threads > 0 ? options.threads : static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
    const std::filesystem::path root = options.root;
    const std::filesystem::path shared =
        options.shared.empty() ? root / ".." / "shared" : std::filesystem::path(options.shared);
    const std::filesystem::path pipeline = shared / "peers" / "reference_pipeline.py";
    const std::filesystem::path file = shared / "data" / "value-portrait" / "query-LMSYS.json";
    for (const auto & path : {pipeline, file}) {
        require_file(path, "say with --shared where the folder is that holds peers/ and data/");
    }
    ModelOptions model_options;
    model_options.path = resolve_model(options.model).string();
    model_options.threads = options.threads;
    const std::shared_ptr<Model> model = Model::load(model_options);
    const std::filesystem::path python =
        options.python.empty() ? peer_home() / "venv" / "bin" / "python" : std::filesystem::path(options.python);
    const std::filesystem::path dense = options.dense.empty()
                                            ? peer_home() / ("dense-" + model->info().identity.substr(0, 12))
                                            : std::filesystem::path(options.dense);
    std::optional<bench::PeerProcess> peer;
    if (!options.ours_only) {
        for (const auto & path : {python, dense}) {
            require_file(path, "scripts/peer_setup.sh makes it");
        }
        peer.emplace(python, root / "bench" / "peer_worker.py", pipeline);
    }
    const std::filesystem::path means =
        std::filesystem::temp_directory_path() / fmt::format("compare-reference-{}.safetensors", getpid());

    bench::MainJob job;
    job.queries = bench::read_queries(file, static_cast<std::size_t>(options.queries));
    job.values = {"Self-Direction", "Stimulation", "Hedonism",  "Achievement", "Power",
                  "Security",       "Conformity",  "Tradition", "Benevolence", "Universalism"};
    job.value = "Benevolence";
    job.new_tokens = options.new_tokens;
    job.answers = {model->tokenize(" Yes", false, false).at(0), model->tokenize(" No", false, false).at(0)};
    SchedulerOptions scheduler_options;
    scheduler_options.parallel = options.parallel;
    scheduler_options.batch_size = options.batch_size;

    const nlohmann::json order = {
        {"argv",
         {dense.string(), file.string(), "--n", std::to_string(options.queries), "--new-tokens",
          std::to_string(options.new_tokens), "--batch", std::to_string(options.peer_batch), "--threads",
          std::to_string(options.threads), "--value", job.value}},
        {"means", means.string()},
        {"precision", options.peer_precision}};

    Figures our_figures;
    Figures peer_figures;
    Inside inside;
    std::vector<double> ratios;
    MainJobResult ours;
    MainJobResult theirs;
    nlohmann::json answer;
    for (int pair = options.no_warm_up ? 1 : 0; pair <= options.pairs; ++pair) {
        for (int turn = 0; turn < 2; ++turn) {
            if ((pair + turn) % 2 == 0) {
                ours = bench::run_main_job(job, model, scheduler_options, inside.generating, inside.judging);
                our_figures.peak_mib = our_figures.peak_mib > 0 ? our_figures.peak_mib : ours.peak_mib;
            } else if (peer) {
                answer = peer->ask(order);
                theirs = bench::read_peer_result(answer, means);
                std::filesystem::remove(means);
                peer_figures.peak_mib = peer_figures.peak_mib > 0 ? peer_figures.peak_mib : theirs.peak_mib;
            }
        }
        if (peer) {
            bench::require_same_work(ours, theirs);
            if (answer.at("values") != nlohmann::json(job.values) ||
                answer.at("answer_tokens") != nlohmann::json(job.answers)) {
                fail(ErrorKind::internal, "unequal work: the peer asks about other values or reads other answers");
            }
        }
        if (pair > 0) {
            our_figures.add(ours);
            inside.add(ours.seconds());
            if (peer) {
                peer_figures.add(theirs);
                ratios.push_back(theirs.seconds() / ours.seconds());
            }
        }
        fmt::print(stderr, "{}: ours {:.2f} s{}\n", pair == 0 ? "warm-up" : fmt::format("pair {}", pair),
                   ours.seconds(), peer ? fmt::format(", peer {:.2f} s", theirs.seconds()) : "");
    }

    ordered_json result;
    std::optional<bench::Agreement> agreement;
    if (peer) {
        agreement = bench::compare(ours, theirs, static_cast<std::size_t>(model->info().n_layer),
                                   static_cast<std::size_t>(model->info().n_embd));
        result["ratio_total"] = bench::spread(ratios).median;
        result["ratio"] = to_json(bench::spread(ratios));
        result["ratio_processor"] =
            bench::spread(peer_figures.processor).median / bench::spread(our_figures.processor).median;
    }
    result["ours"] = our_figures.json();
    result["ours"]["decode_share"] = to_json(bench::spread(inside.decode_share));
    result["ours"]["hook_share"] = to_json(bench::spread(inside.hook_share));
    result["ours"]["work"] = {{"generate", Inside::work(inside.generating)}, {"judge", Inside::work(inside.judging)}};
    result["ours"]["question_tokens"] = ours.question_tokens();
    result["ours"]["model"] = model->info().description;
    if (peer) {
        result["peer"] = peer_figures.json();
        result["peer"]["question_tokens"] = theirs.question_tokens();
        result["peer"]["precision"] = answer.at("precision");
        result["peer"]["versions"] = answer.at("versions");
        result["agreement"] = to_json(*agreement);
    }
    result["job"] = {{"queries", job.queries.size()},    {"responses", ours.responses.size()},
                     {"new_tokens", options.new_tokens}, {"judgements", ours.judged.size()},

                     {"threads", options.threads},       {"pairs", options.pairs}};
    if (options.json) {
        fmt::print("{}\n", result.dump(2));
        return 0;
    }
    fmt::print("{} responses of {} tokens, {} judgements, {} threads, {} pairs; least, median, most\n",
               ours.responses.size(), options.new_tokens, ours.judged.size(), options.threads, options.pairs);
    fmt::print("{:<22}{:>24}{}\n", "", "ours", peer ? fmt::format("  {:>24}", "peer") : "");
    print_row("generate, s", our_figures.generate, peer_figures.generate);
    print_row("judge, s", our_figures.judge, peer_figures.judge);
    print_row("capture, s", our_figures.capture, peer_figures.capture);
    print_row("total, s", our_figures.total, peer_figures.total);
    print_row("processor, s", our_figures.processor, peer_figures.processor);
    print_row("generated tokens/s", our_figures.tokens_per_second, peer_figures.tokens_per_second);
    fmt::print("peak memory, MiB      {:>16.0f}{}\n", our_figures.peak_mib,
               peer ? fmt::format("{:>26.0f}", peer_figures.peak_mib) : "");
    const Spread decode = bench::spread(inside.decode_share);
    const Spread hooks = bench::spread(inside.hook_share);
    fmt::print("inside llama_decode {:.1f} %, of that in hooks {:.1f} %\n", 100 * decode.median, 100 * hooks.median);
    if (peer) {
        const Spread ratio = bench::spread(ratios);
        fmt::print("peer / ours           {:>8.2f}{:>8.2f}{:>8.2f}\n", ratio.low, ratio.median, ratio.high);
        fmt::print(
            "agreement: {} of {} responses equal, {:.0f} % of the tokens before the first that differs; "
            "log-odds correlate {:.3f} ({:.3f} on equal responses);\n"
            "cosine of equal responses' means {:.4f} at least; of v {:.3f} (median), {:.3f} with the same labels\n",
            agreement->equal_responses, agreement->responses, 100 * agreement->equal_beginning,
            agreement->log_odds_correlation, agreement->log_odds_correlation_equal, agreement->mean_cosine.low,
            agreement->v_cosine.median, agreement->v_cosine_same_labels.median);
    }
    return 0;
}

} // namespace

int main(int argc, char ** argv) {
    CLI::App app("The main job beside a transformers pipeline that does the same");
    Options options;
    app.add_option("-m,--model", options.model, "GGUF file or NAME[:TYPE]")->capture_default_str();
    app.add_option("--root", options.root, "the checkout")->capture_default_str();
    app.add_option("--shared", options.shared,
                   "the folder that holds peers/ and data/ (../shared beside the checkout)");
    app.add_option("--python", options.python, "the peer's Python (that of scripts/peer_setup.sh)");
    app.add_option("--dense", options.dense, "the peer's weights (those of scripts/peer_setup.sh for this model)");
    app.add_option("--peer-precision", options.peer_precision,
                   "the peer's weights are loaded as bfloat16 or, where the processor has no instructions for that, "
                   "float32")
        ->check(CLI::IsMember({"bfloat16", "float32"}))
        ->capture_default_str();
    app.add_option("--queries", options.queries)->check(CLI::Range(2, 24))->capture_default_str();
    app.add_option("--new-tokens", options.new_tokens)->check(CLI::Range(1, 1024))->capture_default_str();
    app.add_option("--pairs", options.pairs)->check(CLI::Range(1, 1000))->capture_default_str();
    app.add_option("-t,--threads", options.threads, "of both sides (all cores)");
    app.add_option("--parallel", options.parallel, "our sequences in flight")->capture_default_str();
    app.add_option("--batch-size", options.batch_size, "our rows per llama_decode")->capture_default_str();
    app.add_option("--peer-batch", options.peer_batch, "the peer's --batch")->capture_default_str();
    app.add_flag("--no-warm-up", options.no_warm_up, "count the first pair, in which caches are cold");
    app.add_flag("--ours-only", options.ours_only, "time our side alone, for profiles");
    app.add_flag("--json", options.json);
    CLI11_PARSE(app, argc, argv);
    try {
        return run(options);
    } catch (const Error & error) {
        fmt::print(stderr, "error: {}\n", error.what());
        return 1;
    }
}
