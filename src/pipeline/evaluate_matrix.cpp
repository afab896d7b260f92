#include "pipeline/evaluate_matrix.h"

#include <algorithm>

#include "base/fail.h"
#include "base/hash.h"
#include "base/text.h"
#include "pipeline/spec_text.h"
#include "pipeline/steer_spec.h"

namespace valuelens {

namespace {

constexpr const char * axes_file = "axes.safetensors";
constexpr const char * vectors_file = "vectors.safetensors";
constexpr const char * compliance = "compliance";

/// File and tensor of a direction of a value.
std::string source_of(const EvaluateMatrix & matrix, const std::string & direction, const std::string & value) {
    if (direction == compliance) {
        return fmt::format("{}:{}", axes_file, compliance);
    }
    for (const char * kind : {"shared", "intrinsic", "prompted", "intrinsic_orth", "prompted_orth"}) {
        if (direction == kind) {
            return fmt::format("{}:{}/{}", axes_file, value, direction);
        }
    }
    for (const char * condition : {"intrinsic", "prompted"}) {
        if (direction == fmt::format("vector_{}", condition)) {
            return fmt::format("{}:{}/{}", vectors_file, value, condition);
        }
    }
    fail(ErrorKind::usage,
         "{}.directions names \"{}\"; known: shared, intrinsic, prompted, intrinsic_orth, prompted_orth, "
         "vector_intrinsic, vector_prompted, compliance",
         matrix.section, direction);
}

std::vector<std::string> values_of(const EvaluateMatrix & matrix, const ConceptSet & concepts) {
    std::vector<std::string> values = list_parts(matrix.values, matrix.section + ".values");
    for (const std::string & value : values) {
        if (!concepts.find(value)) {
            fail(ErrorKind::usage, "{}.values names \"{}\", which is not in the concept set {}", matrix.section, value,
                 concepts.name);
        }
    }
    if (values.empty()) {
        for (const Concept & each : concepts.concepts) {
            values.push_back(each.id);
        }
    }
    return values;
}

} // namespace

EvaluateMatrix chosen_matrix(const RunConfig & config) {
    return {"evaluate",           config.evaluate_directions, config.evaluate_values, config.evaluate_alphas,
            config.evaluate_unit, config.evaluate_layers};
}

EvaluateMatrix written_matrix(const RunConfig & config) {
    EvaluateMatrix matrix = chosen_matrix(config);
    const auto take = [&](std::string & field, const std::string & own) {
        if (!own.empty()) {
            field = own;
            matrix.section = "evaluate_written";
        }
    };
    take(matrix.directions, config.written.directions);
    take(matrix.values, config.written.values);
    take(matrix.alphas, config.written.alphas);
    return matrix;
}

std::vector<std::string> list_parts(const std::string & list, const std::string & key) {
    std::vector<std::string> parts;
    std::size_t begin = 0;
    while (begin <= list.size() && !list.empty()) {
        const std::size_t comma = std::min(list.find(',', begin), list.size());
        std::string part(trimmed(std::string_view(list).substr(begin, comma - begin)));
        if (part.empty() || std::find(parts.begin(), parts.end(), part) != parts.end()) {
            fail(ErrorKind::usage, "{} is \"{}\"; expected names with commas between them, each once", key, list);
        }
        parts.push_back(std::move(part));
        begin = comma + 1;
    }
    return parts;
}

std::vector<MatrixCell> matrix_cells(const EvaluateMatrix & matrix, const ConceptSet & concepts) {
    const std::vector<std::string> values = values_of(matrix, concepts);
    if (!matrix.layers.empty() && !parse_layer_range(matrix.layers)) {
        fail(ErrorKind::usage, "evaluate.layers is \"{}\", expected A-B, two 0-based layers", matrix.layers);
    }
    std::vector<MatrixCell> cells;
    const auto add = [&](const std::string & name, const std::string & source, const std::string & alpha) {
        std::string steer = fmt::format("{},alpha={}", source, alpha);
        steer += matrix.layers.empty() ? "" : fmt::format(",layers={}", matrix.layers);
        steer += matrix.unit == "raw" ? "" : fmt::format(",unit={}", matrix.unit);
        parse_steer_spec(steer);
        cells.push_back({fmt::format("{}@{}", name, alpha), std::move(steer)});
    };
    for (const std::string & direction : list_parts(matrix.directions, matrix.section + ".directions")) {
        for (const std::string & alpha : list_parts(matrix.alphas, matrix.section + ".alphas")) {
            if (direction == compliance) {
                add(compliance, source_of(matrix, direction, ""), alpha);
                continue;
            }
            for (const std::string & value : values) {
                add(fmt::format("{}/{}", value, direction), source_of(matrix, direction, value), alpha);
            }
        }
    }
    if (cells.empty()) {
        fail(ErrorKind::usage, "{0}.directions and {0}.alphas must name at least one each", matrix.section);
    }
    return cells;
}

MatrixFiles matrix_files(const std::filesystem::path & folder) {
    MatrixFiles files;
    for (const char * file : {axes_file, vectors_file}) {
        files.emplace_back(file, sha256_file(folder / file));
    }
    return files;
}

MatrixVariants load_cells(const std::filesystem::path & folder, const std::vector<MatrixCell> & cells,
                          const MatrixFiles & files, const ModelInfo & model, ProgressSink & progress) {
    MatrixVariants loaded;
    loaded.variants = evaluation_variants({}, {}, nullptr);
    for (const MatrixCell & cell : cells) {
        const std::string file = parse_steer_spec(cell.steer).file.string();
        const std::vector<std::string> spec = {(folder / cell.steer).string()};
        try {
            loaded.variants.push_back({cell.name, {cell.steer}, {}, load_intervention(spec, {}, model, progress), {}});
        } catch (const Error & error) {
            if (error.kind() != ErrorKind::bad_input) {
                throw;
            }
            loaded.notes.push_back(fmt::format("{}: left out, it has no direction to steer along", cell.name));
            progress.message(LogLevel::warning, fmt::format("evaluate: {} is left out: {}", cell.name, error.what()));
            continue;
        }
        std::copy_if(files.begin(), files.end(), std::back_inserter(loaded.variants.back().files),
                     [&](const auto & each) { return each.first == file; });
    }
    if (loaded.variants.size() == 1) {
        fail(ErrorKind::bad_input, "{}: none of the {} directions that its evaluations ask for is there",
             folder.string(), cells.size());
    }
    return loaded;
}

} // namespace valuelens
