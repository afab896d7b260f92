#pragma once

#include <string>
#include <vector>

#include "evaluate/ngrams.h"
#include "evaluate/respondent.h"

namespace valuelens {

/// An answer cut to the length of the shortest of all variants' answers to the same prompt and draw.
struct CutAnswer {
    TextWords words;
    std::string text;
    std::vector<float> embedding; ///< empty: none under some variant
};

/// [prompt][sample][variant]
using CutAnswers = std::vector<std::vector<std::vector<CutAnswer>>>;

/// Words of the base's answers: all, what the cut leaves, and what [variant] would leave if it were the only one.
struct CutWords {
    double base = 0;
    double kept = 0;
    std::vector<double> alone;
};

/// A variant whose answers are short takes words from all others: notes which one, where less than half is left.
void note_cut(const CutWords & words, Evaluation & result);

/// Embeds the texts (`by` as in Respondent::embed), and counts those that have no word or no embedding. One that cannot
/// be embedded under one variant is left out under all, so that all have embeddings of the same prompts and draws.
void embed_answers(Respondent & respondent, const EmbeddingModel * by, CutAnswers & cut, Evaluation & result);

} // namespace valuelens
