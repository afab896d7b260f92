#include "valuelens/merge.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "base/fail.h"
#include "base/file.h"
#include "base/folder.h"
#include "base/hash.h"
#include "generate/plan.h"
#include "judge/stage.h"
#include "pipeline/judge_run.h"
#include "pipeline/run_context.h"
#include "pipeline/run_setup.h"
#include "store/run_lock.h"
#include "valuelens/run.h"

namespace valuelens {

namespace fs = std::filesystem;

namespace {

constexpr const char * command = "valuelens merge";
constexpr const char * merged_key = "merged_from";
constexpr const char * unfinished_database = "run.sqlite.partial";

/// One shard, held against changes while it is read.
struct Part {
    fs::path folder;
    RunLock lock;
    RunDb db;
    Shard shard;
};

Part open_part(const fs::path & folder) {
    const fs::path file = folder / database_file;
    if (!fs::exists(file)) {
        fail(ErrorKind::usage,
             "{}: is not a run (it has no {}); give folders made with `valuelens run ... --shard i/n`", folder.string(),
             database_file);
    }
    RunLock lock(folder, command, RunLock::Kind::read);
    RunDb db(file, RunDbMode::read_only);
    const Shard shard = stored_shard(db);
    return {folder, std::move(lock), std::move(db), shard};
}

RunConfig config_of(const Part & part) {
    const std::optional<std::string> text = part.db.meta("config");
    if (!text) {
        fail(ErrorKind::bad_input, "{}: holds no configuration; run the shard first", part.db.path().string());
    }
    return parse_run_config(*text, part.db.path().string() + ": config", part.folder);
}

/// Files may lie elsewhere on another machine; what they hold is compared by the plan and the judge.
bool names_a_file(const std::string & difference) {
    constexpr const char * keys[] = {"concepts.file ", "templates.file ", "queries.file ", "judge.file ",
                                     "judge.check "};
    return std::any_of(std::begin(keys), std::end(keys), [&](const char * key) { return difference.starts_with(key); });
}

/// What tells two runs apart, in words; empty for shards of one run.
std::vector<std::string> run_differences(const Part & first, const Part & other) {
    std::vector<std::string> differences = frozen_differences(config_of(first), config_of(other));
    std::erase_if(differences, names_a_file);
    const auto compare = [&](const std::string & key) {
        const std::optional<std::string> left = first.db.meta(key);
        const std::optional<std::string> right = other.db.meta(key);
        // A shard without slices has not begun to generate.
        if (left && right && *left != *right) {
            differences.push_back(fmt::format("{} ({} there, {} here)", key, *left, *right));
        }
    };
    compare("slices_planned");
    compare("model_identity");
    for (const auto & [key, value] : first.db.all_meta()) {
        if (key.starts_with("generate.")) {
            compare(key);
        }
    }
    const bool both_judged = !first.db.finished_judge_slices().empty() && !other.db.finished_judge_slices().empty();
    if (both_judged) {
        compare("judge");
    }
    return differences;
}

/// Throws unless the parts are exactly the shards of one run, each once and generated to its end.
void check_parts(const std::vector<Part> & parts) {
    for (const Part & part : parts) {
        if (part.shard.second != parts.front().shard.second) {
            fail(ErrorKind::usage, "{}: is shard {}, but {} is shard {}; they are not of one run", part.folder.string(),
                 to_string(part.shard), parts.front().folder.string(), to_string(parts.front().shard));
        }
        const std::vector<std::string> differences = run_differences(parts.front(), part);
        if (!differences.empty()) {
            fail(ErrorKind::usage, "{}: is a shard of another run than {}: {}", part.folder.string(),
                 parts.front().folder.string(), fmt::join(differences, ", "));
        }
    }
    std::map<int, fs::path> given;
    for (const Part & part : parts) {
        const auto [place, added] = given.emplace(part.shard.first, part.folder);
        if (!added) {
            fail(ErrorKind::usage, "shard {} is given twice: {} and {}", to_string(part.shard), place->second.string(),
                 part.folder.string());
        }
    }
    std::size_t n_slices = 0;
    for (const Part & part : parts) {
        n_slices = std::max(n_slices, planned_slices(part.db));
    }
    const int count = parts.front().shard.second;
    std::vector<std::string> missing;
    for (int i = 0; i < count; ++i) {
        if (given.count(i) == 0 && shard_size(n_slices, i, count) > 0) {
            missing.push_back(to_string(Shard{i, count}));
        }
    }
    if (!missing.empty()) {
        fail(ErrorKind::usage, "missing: shard {} of this run; give the folders of all {} shards",
             fmt::join(missing, ", "), count);
    }
    for (const Part & part : parts) {
        const std::size_t wanted = shard_size(n_slices, part.shard.first, count);
        const std::size_t done = part.db.finished_slices().size();
        if (n_slices == 0 || done < wanted) {
            fail(ErrorKind::bad_input,
                 "{}: shard {} is not finished ({} of {} slices); finish it with `valuelens generate --run {}`",
                 part.folder.string(), to_string(part.shard), done, wanted, part.folder.string());
        }
    }
}

/// By number of the shard.
std::vector<Part> in_order(std::vector<Part> parts) {
    std::map<int, std::size_t> places;
    for (std::size_t i = 0; i < parts.size(); ++i) {
        places[parts[i].shard.first] = i;
    }
    std::vector<Part> ordered;
    for (const auto & [number, place] : places) {
        ordered.push_back(std::move(parts[place]));
    }
    return ordered;
}

/// Puts a slice's file under the same name into the merged run, as a link where possible. Returns whether it is one.
bool bring_file(const fs::path & source, const fs::path & target, const std::string & sha256) {
    std::error_code absent;
    if (!fs::exists(source, absent) || sha256_file(source) != sha256) {
        fail(ErrorKind::bad_input,
             "{}: the file {}; run the same command on that shard again, which makes it anew, then merge",
             source.string(), fs::exists(source, absent) ? "is damaged (its checksum is another one)" : "is missing");
    }
    remove_side_files(target);
    if (fs::equivalent(source, target, absent)) {
        return true;
    }
    if (fs::exists(target, absent) && sha256_file(target) == sha256) { // copied before the merge was killed
        return false;
    }
    return link_or_copy(source, target);
}

void bring_files(const std::vector<Part> & parts, const fs::path & output, MergeResult & result,
                 ProgressSink & progress, const std::stop_token & stop) {
    for (const Part & part : parts) {
        for (const SliceRow & slice : part.db.slices()) {
            if (stop.stop_requested()) {
                fail(ErrorKind::interrupted, "stopped while merging; the same command goes on");
            }
            if (slice.shard) {
                const fs::path target = output / *slice.shard;
                make_folder(target.parent_path());
                const bool linked = bring_file(part.folder / *slice.shard, target, slice.shard_sha256.value_or(""));
                ++(linked ? result.linked : result.copied);
            }
            progress.advance(++result.slices);
        }
    }
}

/// Of what the shards know, what holds for the whole run: not which part it was, nor what was derived from a part.
void bring_meta(const std::vector<Part> & parts, RunDb & db) {
    std::map<std::string, std::string> meta;
    for (const Part & part : parts) {
        const bool judged = !part.db.finished_judge_slices().empty();
        for (const auto & [key, value] : part.db.all_meta()) {
            const bool of_part = key == "shard" || key == "judge_decided" || key == "judge_medians" ||
                                 key.ends_with(".inputs") || key.ends_with(".sha256");
            const bool of_judge = key.starts_with("judge");
            if (!of_part && (!of_judge || judged)) {
                meta.emplace(key, value);
            }
        }
    }
    nlohmann::json from = nlohmann::json::array();
    for (const Part & part : parts) {
        from.push_back({{"shard", to_string(part.shard)}, {"folder", part.folder.string()}});
    }
    meta[merged_key] = from.dump();
    for (const auto & [key, value] : meta) {
        db.set_meta(key, value);
    }
}

/// Writes the merged database aside and puts it in place: from then on the folder is a run.
void bring_database(const std::vector<Part> & parts, const fs::path & output) {
    const fs::path aside = output / unfinished_database;
    remove_database(aside); // of a merge that was killed
    const RunConfig config = config_of(parts.front());
    {
        RunDb db(aside, RunDbMode::create);
        db.store_inputs(parts.front().db.concepts(), parts.front().db.queries(), parts.front().db.templates());
        bring_meta(parts, db);
        for (const Part & part : parts) {
            db.import_slices(part.db);
            db.log_stage("merge", "joined", fmt::format("shard {} of {}", to_string(part.shard), part.folder.string()));
        }
        const std::set<std::size_t> judged = db.finished_judge_slices();
        if (!judged.empty() && judged == db.finished_slices()) {
            decide_labels(db, judge_stage_options(config));
        }
    } // closed: its log is part of it now
    remove_side_files(output / config_file);
    write_file(output / config_file, to_toml(config));
    put_in_place(aside, output / database_file);
}

/// Whether the output is these shards' merged run already. Throws where it is something else.
bool merged_before(const fs::path & output, const std::vector<Part> & parts) {
    if (!fs::exists(output / database_file)) {
        return false;
    }
    const RunDb db(output / database_file, RunDbMode::read_only);
    const bool same = db.meta(merged_key).has_value() &&
                      db.meta("generate.plan") == parts.front().db.meta("generate.plan") &&
                      db.meta("model_identity") == parts.front().db.meta("model_identity") &&
                      db.finished_slices().size() == planned_slices(parts.front().db);
    if (!same) {
        fail(ErrorKind::usage, "{}: holds another run already; give another --output", output.string());
    }
    return true;
}

} // namespace

MergeResult merge_runs(const MergeRequest & request, ProgressSink & progress, std::stop_token stop) {
    if (request.shards.empty() || request.output.empty()) {
        fail(ErrorKind::usage, "merge needs the folders of the shards and --output");
    }
    std::vector<Part> parts;
    for (const fs::path & folder : request.shards) {
        std::error_code absent;
        if (fs::equivalent(folder, request.output, absent)) {
            fail(ErrorKind::usage, "{}: is one of the shards; give --output a folder of its own", folder.string());
        }
        parts.push_back(open_part(folder));
    }
    check_parts(parts);
    parts = in_order(std::move(parts));

    make_folder(request.output);
    const RunLock lock(request.output, command);
    MergeResult result;
    result.folder = request.output.string();
    result.shards = parts.size();
    result.done_before = merged_before(request.output, parts);
    if (!result.done_before) {
        progress.start("merge", planned_slices(parts.front().db), "slices");
        bring_files(parts, request.output, result, progress, stop);
        progress.finish();
        bring_database(parts, request.output);
    }
    const RunDb db(request.output / database_file, RunDbMode::read_only);
    const RunCounts counts = db.counts();
    result.slices = counts.slices;
    result.responses = counts.intrinsic + counts.prompted;
    result.labels = counts.labels;
    result.next = run_status(request.output).next;
    return result;
}

} // namespace valuelens
