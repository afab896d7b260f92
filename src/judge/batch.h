#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "clients/cost.h"
#include "judge/server_questions.h"
#include "judge/stage.h"
#include "store/run_db.h"

namespace valuelens {

/// A judge's questions for a batch API: JSONL in OpenAI's request format, one line for each pair of a response and a
/// value, and one for each value about an empty text where answers are calibrated. `custom_id` is
/// "<tag>/<response id>/<value>", the tag being a hash of all that a label depends on, so that answers to another
/// question are not taken for these.
struct BatchExport {
    std::vector<std::filesystem::path> files;
    ServerCost cost; ///< of what was written
    std::size_t responses = 0;
    std::size_t answered = 0; ///< questions left out, since `answered_by` answers them
};

/// Writes the questions about the finished slices that have no labels yet. More than `max_lines` go on in
/// "<name>-2<extension>", "<name>-3..." beside `output`, since batch APIs limit a file. Each file appears whole or not
/// at all. `answered_by`: results of an earlier batch; what they answer is not asked again. Throws Error(bad_input)
/// with file:line for results that cannot be read.
BatchExport export_batch(const RunDb & db, const ConceptSet & concepts, const ServerQuestions & questions,
                         const std::string & model, const std::filesystem::path & output,
                         std::span<const std::filesystem::path> answered_by, std::size_t max_lines);

struct BatchImport {
    JudgeStageResult stage;
    std::size_t slices_left = 0;          ///< not labelled, since answers are missing
    std::size_t missing = 0;              ///< questions of those slices without an answer, failed ones included
    std::vector<std::string> missing_ids; ///< the first ten, as custom_id without the tag
    std::size_t failed = 0;               ///< result lines that say that the request failed
    std::vector<std::string> failures;    ///< the first three reasons
    std::size_t unreadable = 0;           ///< answers that state nothing: no opinion
    std::size_t doubled = 0;              ///< a second answer to a question, passed over
    std::size_t unexpected = 0;           ///< about responses that are not there or have labels
};

/// Reads results and labels the finished slices whose every question is answered; with `accept_missing` also the
/// others, without an opinion where an answer is missing. Then as run_judge(): one transaction for each slice,
/// decisions at the end. Throws Error(bad_input) with file:line for a line that is no result, one that belongs to other
/// questions or was answered by another model, and where answers about the empty text are missing.
BatchImport import_batch(RunDb & db, const ConceptSet & concepts, const ServerQuestions & questions,
                         const std::string & model, const JudgeStageOptions & options,
                         std::span<const std::filesystem::path> results, bool accept_missing, ProgressSink & progress,
                         std::stop_token stop = {});

} // namespace valuelens
