#include "pipeline/shard.h"

#include <charconv>
#include <cstdlib>

#include "base/fail.h"

namespace valuelens {

namespace {

std::optional<int> number(std::string_view text) {
    int value = 0;
    const char * end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data(), end, value);
    return error == std::errc() && rest == end ? std::optional(value) : std::nullopt;
}

/// A variable that must be there because `because` is.
int required(const Environment & environment, const char * name, const char * because) {
    const std::optional<std::string> text = environment(name);
    if (!text) {
        fail(ErrorKind::usage,
             "--shard auto: {} is set but {} is not; set it to the number of parts, or give --shard i/n", because,
             name);
    }
    const std::optional<int> value = number(*text);
    if (!value) {
        fail(ErrorKind::usage, "--shard auto: {} is '{}', expected a whole number", name, *text);
    }
    return *value;
}

Shard checked(int index, int count, const char * index_name, const char * count_name) {
    if (count < 1 || index < 0 || index >= count) {
        fail(ErrorKind::usage,
             "--shard auto: {} and {} make part {} of {}, expected parts from 0 to one less than their number; give "
             "--shard i/n",
             index_name, count_name, index, count);
    }
    return {index, count};
}

/// The place among the tasks of an array, if this is one.
std::optional<Shard> array_task(const Environment & environment) {
    constexpr const char * slurm = "SLURM_ARRAY_TASK_ID";
    constexpr const char * slurm_count = "SLURM_ARRAY_TASK_COUNT";
    if (environment(slurm)) {
        const int first = required(environment, "SLURM_ARRAY_TASK_MIN", slurm);
        const int step =
            environment("SLURM_ARRAY_TASK_STEP") ? required(environment, "SLURM_ARRAY_TASK_STEP", slurm) : 1;
        const int id = required(environment, slurm, slurm);
        const int offset = id - first;
        if (step < 1 || offset % step != 0) {
            fail(ErrorKind::usage,
                 "--shard auto: {} = {} is no task of an array from {} in steps of {}; give --shard i/n", slurm, id,
                 first, step);
        }
        return checked(offset / step, required(environment, slurm_count, slurm), slurm, slurm_count);
    }
    constexpr const char * kubernetes = "JOB_COMPLETION_INDEX";
    constexpr const char * kubernetes_count = "JOB_COMPLETIONS";
    if (environment(kubernetes)) {
        return checked(required(environment, kubernetes, kubernetes),
                       required(environment, kubernetes_count, kubernetes), kubernetes, kubernetes_count);
    }
    return std::nullopt;
}

/// The place among processes that were started together, if there are others. Under mpirun within a Slurm job the rank
/// is MPI's: Slurm counts its launcher.
std::optional<Shard> rank(const Environment & environment) {
    constexpr std::pair<const char *, const char *> kinds[] = {{"OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"},
                                                               {"SLURM_PROCID", "SLURM_NTASKS"}};
    for (const auto & [index, count] : kinds) {
        // A batch script without srun has a SLURM_PROCID of 0 and may lack SLURM_NTASKS: one process.
        if (environment(index) && (environment(count) || std::string_view(index) != "SLURM_PROCID")) {
            return checked(required(environment, index, index), required(environment, count, index), index, count);
        }
    }
    return std::nullopt;
}

} // namespace

std::optional<std::string> process_environment(const char * name) {
    const char * text = std::getenv(name);
    return text == nullptr ? std::nullopt : std::optional<std::string>(text);
}

Shard parse_shard(const std::string & text, const Environment & environment) {
    if (text.empty()) {
        return {0, 1};
    }
    if (text == "auto") {
        const std::optional<Shard> outer = array_task(environment);
        const std::optional<Shard> inner = rank(environment);
        if (!outer && !inner) {
            fail(ErrorKind::usage, "--shard auto: this is no array task and no rank of a parallel job (none of "
                                   "SLURM_ARRAY_TASK_ID, JOB_COMPLETION_INDEX, OMPI_COMM_WORLD_RANK, SLURM_PROCID is "
                                   "set); give --shard i/n");
        }
        const auto [task, tasks] = outer.value_or(Shard{0, 1});
        const auto [process, processes] = inner.value_or(Shard{0, 1});
        return {task * processes + process, tasks * processes};
    }
    const std::size_t slash = text.find('/');
    if (slash != std::string::npos) {
        const std::optional<int> index = number(std::string_view(text).substr(0, slash));
        const std::optional<int> count = number(std::string_view(text).substr(slash + 1));
        if (index && count && *count >= 1 && *index >= 0 && *index < *count) {
            return {*index, *count};
        }
    }
    fail(ErrorKind::usage, "--shard '{}': expected i/n with 0 <= i < n, for example 0/4, or auto", text);
}

std::string to_string(const Shard & shard) {
    return fmt::format("{}/{}", shard.first, shard.second);
}

std::filesystem::path shard_folder(const std::filesystem::path & folder, const Shard & shard) {
    constexpr std::string_view mark = "{shard}";
    std::string text = folder.string();
    const std::string name = fmt::format("{}-of-{}", shard.first, shard.second);
    for (std::size_t at = text.find(mark); at != std::string::npos; at = text.find(mark, at + name.size())) {
        text.replace(at, mark.size(), name);
    }
    return text;
}

} // namespace valuelens
