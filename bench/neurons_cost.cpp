// What does finding neurons cost beside reading the weights? The down projections of a model of random weights, read
// and dequantised once, against find_neurons for ten values without and with random planes.

#include <CLI/CLI.hpp>
#include <fcntl.h>
#include <fmt/format.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmath>
#include <ctime>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/random.h"
#include "bench/timing.h"
#include "engine/down_projections.h"
#include "math/parallel_for.h"
#include "valuelens/neurons.h"

using namespace valuelens;

namespace {

/// Types by their number in GGUF files, with their blocks: so many weights in so many bytes, of which the first are F16
/// scales.
struct BlockType {
    std::uint32_t id;
    std::size_t weights;
    std::size_t bytes;
    std::size_t n_scales;
};
const std::map<std::string, BlockType> types = {
    {"f16", {1, 1, 2, 1}}, {"q8_0", {8, 32, 34, 1}}, {"q4_0", {2, 32, 18, 1}}, {"q4_k", {12, 256, 144, 2}}};

void append_text(std::string & to, const std::string & text) {
    const std::uint64_t size = text.size();
    to.append(reinterpret_cast<const char *>(&size), sizeof(size));
    to += text;
}

template <typename T>
void append(std::string & to, T value) {
    to.append(reinterpret_cast<const char *>(&value), sizeof(value));
}

/// A GGUF with nothing but down projections of random bits, written block by block.
void write_model(const std::filesystem::path & path, std::uint32_t n_layer, std::uint32_t n_embd, std::uint64_t n_ff,
                 const BlockType & type) {
    std::string header = "GGUF";
    append(header, std::uint32_t{3});
    append(header, static_cast<std::uint64_t>(n_layer));
    append(header, std::uint64_t{3});
    append_text(header, "general.architecture");
    append(header, std::uint32_t{8});
    append_text(header, "llama");
    for (const auto & [key, value] : {std::pair("llama.block_count", n_layer), {"llama.embedding_length", n_embd}}) {
        append_text(header, key);
        append(header, std::uint32_t{4});
        append(header, value);
    }
    const std::uint64_t layer_bytes = (n_embd * n_ff / type.weights * type.bytes + 31) / 32 * 32;
    for (std::uint32_t layer = 0; layer < n_layer; ++layer) {
        append_text(header, fmt::format("blk.{}.ffn_down.weight", layer));
        append(header, std::uint32_t{2});
        append(header, n_ff);
        append(header, static_cast<std::uint64_t>(n_embd));
        append(header, type.id);
        append(header, layer * layer_bytes);
    }
    header.resize((header.size() + 31) / 32 * 32, '\0');
    AtomicFile file(path);
    file.write(header);

    Rng rng(0);
    std::string blocks((1 << 20) / type.bytes * type.bytes, '\0');
    for (std::uint32_t layer = 0; layer < n_layer; ++layer) {
        for (std::size_t i = 0; i + 8 <= blocks.size(); i += 8) {
            const std::uint64_t bits = rng.next();
            std::copy_n(reinterpret_cast<const char *>(&bits), 8, blocks.data() + i);
        }
        for (std::size_t block = 0; block < blocks.size(); block += type.bytes) {
            for (std::size_t scale = 0; scale < type.n_scales; ++scale) { // an F16 between 2^-7 and 2^-5: finite
                const auto bits = static_cast<std::uint16_t>(0x2000 + rng.below(0x800));
                std::copy_n(reinterpret_cast<const char *>(&bits), 2, blocks.data() + block + 2 * scale);
            }
        }
        for (std::uint64_t done = 0; done < layer_bytes; done += blocks.size()) {
            file.write(blocks.data(), std::min<std::uint64_t>(blocks.size(), layer_bytes - done));
        }
    }
    file.commit();
}

AxisSet random_axes(const std::string & model, std::size_t n_layer, std::size_t n_embd, std::size_t n_values) {
    AxisSet set;
    set.provenance.model_hash = model_identity(model);
    set.n_layer = n_layer;
    set.n_embd = n_embd;
    Rng rng(1);
    for (std::size_t value = 0; value < n_values; ++value) {
        ValueAxes entry;
        entry.value = fmt::format("value{}", value);
        for (std::size_t layer = 0; layer < n_layer; ++layer) {
            // Two random directions with no coordinate in common stand at right angles.
            std::vector<double> draw(n_embd);
            double squares[2] = {0, 0};
            for (std::size_t i = 0; i < n_embd; ++i) {
                draw[i] = rng.normal();
                squares[i % 2] += draw[i] * draw[i];
            }
            for (std::size_t i = 0; i < n_embd; ++i) {
                entry.shared.push_back(i % 2 == 0 ? static_cast<float>(draw[i] / std::sqrt(squares[0])) : 0.0f);
                entry.intrinsic.push_back(i % 2 == 1 ? static_cast<float>(draw[i] / std::sqrt(squares[1])) : 0.0f);
            }
        }
        set.values.push_back(entry.value);
        set.axes.push_back(std::move(entry));
    }
    return set;
}

/// The least that any way of doing it takes: open, read and dequantise, whole rows at a time.
void read_all(const std::string & path, unsigned threads) {
    constexpr std::size_t n_rows = 16;
    const DownProjections model(path);
    for (std::size_t matrix = 0; matrix < model.matrices().size(); ++matrix) {
        const std::size_t n = model.matrices()[matrix].n_neuron;
        parallel_for((model.n_embd() + n_rows - 1) / n_rows, threads, [&](std::size_t i) {
            thread_local std::vector<float> rows;
            rows.resize(n_rows * n);
            model.read(matrix, i * n_rows, std::min(n_rows, model.n_embd() - i * n_rows), 0, n, rows.data(), n);
        });
        model.release(matrix, matrix + 1);
    }
}

double peak_mib() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    return static_cast<double>(usage.ru_maxrss) / 1024;
}

/// Drops the file from the page cache, so that the next reader reads from the disk.
void evict(const std::string & path) {
    const int descriptor = ::open(path.c_str(), O_RDONLY);
    if (descriptor >= 0) {
        ::fsync(descriptor);
        ::posix_fadvise(descriptor, 0, 0, POSIX_FADV_DONTNEED);
        ::close(descriptor);
    }
}

/// From a warm cache processor seconds of all threads: on a busy machine the clock on the wall measures the others.
/// From the disk, where waiting is the point, seconds of that clock.
template <typename Work>
double seconds_of(const std::string & path, bool cold, Work && work) {
    const auto now = [&] {
        timespec time{};
        clock_gettime(cold ? CLOCK_MONOTONIC : CLOCK_PROCESS_CPUTIME_ID, &time);
        return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
    };
    if (cold) {
        evict(path);
    }
    const double begin = now();
    work();
    return now() - begin;
}

} // namespace

int main(int argc, char ** argv) {
    CLI::App app("Cost of finding neurons");
    std::uint32_t n_layer = 4;
    std::uint32_t n_embd = 3584;
    std::uint64_t n_ff = 18944;
    std::string type = "q8_0";
    std::size_t n_values = 10;
    std::size_t null_draws = NeuronOptions{}.null_draws;
    unsigned threads = 0;
    int pairs = 3;
    bool cold = false;
    bool json = false;
    app.add_option("--layers", n_layer);
    app.add_option("--n-embd", n_embd);
    app.add_option("--n-ff", n_ff);
    app.add_option("--type", type)->check(CLI::IsMember(types));
    app.add_option("--values", n_values);
    app.add_option("--null-draws", null_draws);
    app.add_option("-t,--threads", threads);
    app.add_option("--pairs", pairs);
    app.add_flag("--cold", cold, "Read from the disk each time, and measure by the clock on the wall");
    app.add_flag("--json", json);
    CLI11_PARSE(app, argc, argv);

    std::string folder = (std::filesystem::temp_directory_path() / "valuelens-bench-XXXXXX").string();
    if (::mkdtemp(folder.data()) == nullptr) {
        fmt::print(stderr, "no temporary folder\n");
        return 1;
    }
    const std::string path = folder + "/model.gguf";
    write_model(path, n_layer, n_embd, n_ff, types.at(type));
    const double layer_mib = static_cast<double>(std::filesystem::file_size(path)) / n_layer / (1 << 20);
    const AxisSet axes = random_axes(path, n_layer, n_embd, n_values);
    const double before = peak_mib();

    std::vector<double> read;
    std::vector<double> without;
    std::vector<double> with;
    double peak_without = 0;
    for (int pair = 0; pair <= pairs; ++pair) { // the first warms the page cache
        const double a = seconds_of(path, cold, [&] { read_all(path, threads); });
        const double b =
            seconds_of(path, cold, [&] { find_neurons(path, axes, {.null_draws = 0, .threads = threads}); });
        peak_without = pair == 0 ? peak_mib() : peak_without;
        const double c =
            seconds_of(path, cold, [&] { find_neurons(path, axes, {.null_draws = null_draws, .threads = threads}); });
        if (pair > 0) {
            read.push_back(a);
            without.push_back(b);
            with.push_back(c);
        }
    }
    std::filesystem::remove_all(folder);
    const bench::Spread plain = bench::spread(read);
    const bench::Spread values = bench::spread(without);
    const bench::Spread all = bench::spread(with);
    if (json) {
        fmt::print("{}\n", nlohmann::json({{"cold", cold},
                                           {"seconds_read", plain.median},
                                           {"seconds_values", values.median},
                                           {"seconds_values_and_null", all.median},
                                           {"ratio_values", values.median / plain.median},
                                           {"ratio_values_and_null", all.median / plain.median},
                                           {"layer_mib", layer_mib},
                                           {"peak_mib_before", before},
                                           {"peak_mib_values", peak_without},
                                           {"peak_mib", peak_mib()}})
                               .dump(2));
        return 0;
    }
    fmt::print("{} layers of {} x {} {} ({:.0f} MiB each), {} values, {} random planes; {}; least, median, most\n",
               n_layer, n_embd, n_ff, type, layer_mib, n_values, null_draws,
               cold ? "seconds, from the disk" : "processor seconds, from the page cache");
    fmt::print("read and dequantise      {:.2f}  {:.2f}  {:.2f} s\n", plain.low, plain.median, plain.high);
    fmt::print("values                   {:.2f}  {:.2f}  {:.2f} s  ({:.2f} times)\n", values.low, values.median,
               values.high, values.median / plain.median);
    fmt::print("values and random planes {:.2f}  {:.2f}  {:.2f} s  ({:.2f} times)\n", all.low, all.median, all.high,
               all.median / plain.median);
    fmt::print("peak memory {:.0f} MiB before, {:.0f} MiB with values, {:.0f} MiB in all\n", before, peak_without,
               peak_mib());
    return 0;
}
