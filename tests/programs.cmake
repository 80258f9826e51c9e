# The programs from end to end, in every build tree.
set(run_weights ${KINGLET_EMULATOR} "$<TARGET_FILE:kinglet-weights>")
string(REPLACE ";" " " run_weights_text "${run_weights}")
set(scratch "${CMAKE_CURRENT_BINARY_DIR}/programs")
file(MAKE_DIRECTORY "${scratch}")

kinglet_add_test(
  programs.command_line.weights
  COMMAND bash "${CMAKE_CURRENT_SOURCE_DIR}/programs/command_line.sh" "${run_weights_text}"
          "${scratch}/command_line_weights")

# kinglet_makes(<test> <file>), kinglet_needs(<test> <file>...): which tests run after which.
function(kinglet_makes name file)
  set_tests_properties(${KINGLET_TEST_PREFIX}${name} PROPERTIES FIXTURES_SETUP
                                                                ${KINGLET_TEST_PREFIX}${file})
endfunction()
function(kinglet_needs name)
  list(TRANSFORM ARGN PREPEND "${KINGLET_TEST_PREFIX}" OUTPUT_VARIABLE files)
  set_tests_properties(${KINGLET_TEST_PREFIX}${name} PROPERTIES FIXTURES_REQUIRED "${files}")
endfunction()

# The small ones are in the repository; KINGLET_FIXTURES names a folder with all of them.
set(KINGLET_FIXTURES "$ENV{KINGLET_FIXTURES}" CACHE PATH "Folder with zoo/ and alfred/, recorded models")
file(GLOB fixtures CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/data/alfred/*/config.json"
     "${CMAKE_CURRENT_SOURCE_DIR}/data/zoo/*/config.json")
set(zoo albert albert-groups bert-pretraining bert-seqcls distilbert-mlm distilbert-seqcls
        distilroberta resnet18 roberta-mlm roberta-seqcls)
foreach(model IN LISTS zoo)
  list(APPEND more "zoo/${model}")
endforeach()
list(APPEND more alfred/pabee_bert alfred/pabee_albert alfred/pabee_bert_regression
            alfred/seq2seq_im_mask)
foreach(model IN LISTS more)
  set(config "${KINGLET_FIXTURES}/${model}/config.json")
  if(KINGLET_FIXTURES AND EXISTS "${config}")
    list(APPEND fixtures "${config}")
  else()
    get_filename_component(name "${model}" NAME)
    kinglet_add_skipped_test(
      programs.convert_verify.full.${name}
      "all recorded cases of ${model}: KINGLET_FIXTURES names no folder with them")
  endif()
endforeach()
foreach(config IN LISTS fixtures)
  get_filename_component(fixture "${config}" DIRECTORY)
  get_filename_component(name "${fixture}" NAME)
  if(NOT fixture MATCHES "^${CMAKE_CURRENT_SOURCE_DIR}/")
    string(PREPEND name "full.")
  endif()
  kinglet_add_test(
    programs.convert_verify.${name}
    COMMAND bash "${CMAKE_CURRENT_SOURCE_DIR}/programs/convert_verify.sh" "${run_weights_text}"
            "${fixture}" "${scratch}/${name}")
  if(EXISTS "${fixture}/model_best_seen.safetensors")  # the steps that it makes are HiTUT's
    kinglet_add_test(
      programs.make_small.${name}
      COMMAND bash "${CMAKE_CURRENT_SOURCE_DIR}/programs/make_small.sh" "${run_weights_text}"
              "${fixture}" "${scratch}/small_${name}")
  endif()
endforeach()

# A real one: its package is not part of the fixtures.
set(KINGLET_MINILM "$ENV{KINGLET_MINILM}" CACHE PATH "Folder with MiniLM-L6's model.safetensors")
set(minilm "${KINGLET_FIXTURES}/zoo/minilm-l6-v2")
if(KINGLET_FIXTURES AND KINGLET_MINILM AND NOT CMAKE_CROSSCOMPILING)
  kinglet_add_test(
    programs.convert_minilm
    COMMAND kinglet-weights convert "${KINGLET_MINILM}/model.safetensors" --config
            "${minilm}/model.json" --vocab "${KINGLET_MINILM}/vocab.txt" -o "${scratch}/minilm.gguf")
  kinglet_add_test(
    programs.verify_minilm
    COMMAND kinglet-weights verify "${scratch}/minilm.gguf"
            "${minilm}/cases/sentences40.safetensors" --bounds "${minilm}/model.json")
  kinglet_makes(programs.convert_minilm minilm)
  kinglet_needs(programs.verify_minilm minilm)
else()
  kinglet_add_skipped_test(
    programs.verify_minilm
    "sentences through MiniLM-L6: KINGLET_FIXTURES and KINGLET_MINILM name no folders")
endif()

# A real LSTM; its package is not part of the fixtures either.
set(KINGLET_RESEMBLYZER "$ENV{KINGLET_RESEMBLYZER}" CACHE PATH "Folder with Resemblyzer's pretrained.pt")
set(speaker "${KINGLET_FIXTURES}/zoo/resemblyzer")
if(KINGLET_FIXTURES AND KINGLET_RESEMBLYZER AND NOT CMAKE_CROSSCOMPILING)
  kinglet_add_test(
    programs.convert_resemblyzer
    COMMAND kinglet-weights convert "${KINGLET_RESEMBLYZER}/pretrained.pt" -o
            "${scratch}/resemblyzer.gguf")
  file(GLOB cases CONFIGURE_DEPENDS "${speaker}/cases/*.safetensors")
  kinglet_add_test(
    programs.verify_resemblyzer COMMAND kinglet-weights verify "${scratch}/resemblyzer.gguf" ${cases}
                                        --bounds "${speaker}/model.json" --isa all)
  kinglet_makes(programs.convert_resemblyzer resemblyzer)
  kinglet_needs(programs.verify_resemblyzer resemblyzer)
else()
  kinglet_add_skipped_test(
    programs.verify_resemblyzer
    "voices through Resemblyzer: KINGLET_FIXTURES and KINGLET_RESEMBLYZER name no folders")
endif()

# The trained model that ships with the repository; later tests run it.
set(small "${PROJECT_SOURCE_DIR}/models/hitut6_small")
set(KINGLET_SMALL_MODEL "${scratch}/hitut6_small.gguf")
kinglet_add_test(
  programs.convert_small
  COMMAND kinglet-weights convert "${small}/model_best_seen.pth" --arch hitut --config
          "${small}/config.json" --tables "${small}/tables.safetensors" --vocab
          "${small}/vocab.txt" -o "${KINGLET_SMALL_MODEL}")
kinglet_makes(programs.convert_small small_model)

set(KINGLET_SMALL_INT8_MODEL "${scratch}/hitut6_small_int8.gguf")
kinglet_add_test(
  programs.quantize_small COMMAND kinglet-weights quantize "${KINGLET_SMALL_MODEL}" --attention s8
                                  -o "${KINGLET_SMALL_INT8_MODEL}")
kinglet_needs(programs.quantize_small small_model)
kinglet_makes(programs.quantize_small small_int8_model)

# As right as PyTorch: within two examples of every accuracy it reached in fp32.
if(NOT CMAKE_CROSSCOMPILING)  # emulated it would take minutes and say no more
  kinglet_add_test(
    programs.accuracy_small
    COMMAND kinglet-bench accuracy "${KINGLET_SMALL_MODEL}" "${small}/eval.safetensors" --recorded
            "${small}/metrics.json" --within 2 --batch 4)
  kinglet_needs(programs.accuracy_small small_model)
  if(KINGLET_SANITIZE)  # minutes; accuracy_small runs the same code
    kinglet_add_skipped_test(programs.bench_accuracy
                             "variants of a model by accuracy, under sanitizers")
  else()
    kinglet_add_test(
      programs.bench_accuracy
      COMMAND bash "${CMAKE_CURRENT_SOURCE_DIR}/programs/bench_accuracy.sh" $<TARGET_FILE:kinglet-bench>
              $<TARGET_FILE:kinglet-weights> "${KINGLET_SMALL_MODEL}" "${small}/eval.safetensors"
              "${CMAKE_CURRENT_SOURCE_DIR}/data/alfred/hitut_bert" "${scratch}/bench_accuracy")
  endif()
  kinglet_needs(programs.bench_accuracy small_model)
  kinglet_add_test(
    programs.bench_model
    COMMAND bash "${CMAKE_CURRENT_SOURCE_DIR}/programs/bench_model.sh" $<TARGET_FILE:kinglet-bench>
            "${KINGLET_SMALL_MODEL}" "${KINGLET_SMALL_INT8_MODEL}" "${small}/eval.safetensors"
            "${scratch}/bench_model" "${KINGLET_SANITIZE}")
  kinglet_needs(programs.bench_model small_model small_int8_model)
  kinglet_add_test(
    programs.bench_seq2seq
    COMMAND bash "${CMAKE_CURRENT_SOURCE_DIR}/programs/bench_seq2seq.sh" $<TARGET_FILE:kinglet-bench>
            $<TARGET_FILE:kinglet-weights> "${CMAKE_CURRENT_SOURCE_DIR}/data/alfred/seq2seq_im_mask"
            "${scratch}/bench_seq2seq")
endif()

# Seq2Seq, trained: the accuracies and outputs that PyTorch had, and int8 within half a point.
set(trained "${KINGLET_FIXTURES}/trained/seq2seq")
if(KINGLET_FIXTURES AND EXISTS "${trained}/metrics.json" AND NOT CMAKE_CROSSCOMPILING)
  kinglet_add_test(
    programs.accuracy_seq2seq
    COMMAND bash "${CMAKE_CURRENT_SOURCE_DIR}/programs/accuracy_seq2seq.sh" $<TARGET_FILE:kinglet-bench>
            $<TARGET_FILE:kinglet-weights> "${trained}" "${scratch}/accuracy_seq2seq")
else()
  kinglet_add_skipped_test(
    programs.accuracy_seq2seq
    "504 episodes by a trained Seq2Seq: KINGLET_FIXTURES names no folder with them")
endif()

if(TARGET hitut_agent)
  kinglet_add_test(examples.hitut_agent COMMAND hitut_agent "${KINGLET_SMALL_MODEL}"
                   "${PROJECT_BINARY_DIR}/episode.bin")
  kinglet_needs(examples.hitut_agent small_model)
  # What it allocates at the start it keeps until its end, as on a device.
  set_tests_properties(${KINGLET_TEST_PREFIX}examples.hitut_agent
                       PROPERTIES ENVIRONMENT ASAN_OPTIONS=detect_leaks=0)
endif()

# A model of BERT's family with word pieces.
set(bert "${CMAKE_CURRENT_SOURCE_DIR}/data/zoo/bert-seqcls")
set(KINGLET_BERT_MODEL "${scratch}/bert_small.gguf")
kinglet_add_test(
  programs.convert_bert
  COMMAND kinglet-weights convert "${bert}/pytorch_model.oldnames.bin" --config
          "${bert}/config.json" --vocab "${bert}/vocab.txt" -o "${KINGLET_BERT_MODEL}")
kinglet_makes(programs.convert_bert bert_model)
if(TARGET sentence_embedding)
  kinglet_add_test(examples.sentence_embedding COMMAND sentence_embedding "${KINGLET_BERT_MODEL}"
                   "the cat is on it" "it is on the cat." "a dog")
  set_tests_properties(
    ${KINGLET_TEST_PREFIX}examples.sentence_embedding
    PROPERTIES ENVIRONMENT ASAN_OPTIONS=detect_leaks=0 PASS_REGULAR_EXPRESSION "3 sentences")
  kinglet_needs(examples.sentence_embedding bert_model)
endif()

set(KINGLET_SEQ2SEQ_MODEL "${scratch}/seq2seq_small.gguf")
kinglet_add_test(
  programs.convert_seq2seq
  COMMAND kinglet-weights convert
          "${CMAKE_CURRENT_SOURCE_DIR}/data/alfred/seq2seq_im_mask/best_seen.legacy.pth" -o
          "${KINGLET_SEQ2SEQ_MODEL}")
kinglet_makes(programs.convert_seq2seq seq2seq_model)

# An episode of made-up models: eyes of 512 channels are too slow to be emulated or sanitized.
if(TARGET alfred_agent AND TARGET kinglet-bench AND NOT CMAKE_CROSSCOMPILING
   AND NOT KINGLET_SANITIZE)
  kinglet_add_test(
    examples.alfred_agent
    COMMAND bash "${CMAKE_CURRENT_SOURCE_DIR}/programs/alfred_agent.sh" $<TARGET_FILE:alfred_agent>
            $<TARGET_FILE:kinglet-bench> $<TARGET_FILE:kinglet-weights>
            "${CMAKE_CURRENT_SOURCE_DIR}/data/alfred/seq2seq_im_mask" "${scratch}/alfred_agent")
  set_tests_properties(${KINGLET_TEST_PREFIX}examples.alfred_agent
                       PROPERTIES ENVIRONMENT ASAN_OPTIONS=detect_leaks=0)
endif()

if(TARGET kinglet-bench)
  set(run_bench ${KINGLET_EMULATOR} "$<TARGET_FILE:kinglet-bench>")
  string(REPLACE ";" " " run_bench_text "${run_bench}")
  kinglet_add_test(
    programs.command_line.bench
    COMMAND bash "${CMAKE_CURRENT_SOURCE_DIR}/programs/command_line.sh" "${run_bench_text}"
            "${scratch}/command_line_bench")
  kinglet_add_test(
    programs.bench_synth
    COMMAND bash "${CMAKE_CURRENT_SOURCE_DIR}/programs/bench_synth.sh" "${run_bench_text}"
            "${run_weights_text}" "${scratch}/bench_synth")
  if(NOT CMAKE_CROSSCOMPILING AND NOT KINGLET_SANITIZE)  # counts do not depend on either
    kinglet_add_test(
      programs.bench_plans
      COMMAND bash "${CMAKE_CURRENT_SOURCE_DIR}/programs/bench_plans.sh" $<TARGET_FILE:kinglet-bench>
              $<TARGET_FILE:kinglet-weights>
              "${CMAKE_CURRENT_SOURCE_DIR}/data/alfred/pabee_bert_regression"
              "${scratch}/bench_plans")
    kinglet_add_test(
      programs.documented
      COMMAND bash "${CMAKE_CURRENT_SOURCE_DIR}/programs/documented.sh" "${PROJECT_BINARY_DIR}"
              "${PROJECT_SOURCE_DIR}/docs/making-a-model-small.md" "${small}"
              "${scratch}/documented")
    kinglet_add_test(
      programs.published_sizes
      COMMAND bash "${CMAKE_CURRENT_SOURCE_DIR}/programs/published_sizes.sh"
              $<TARGET_FILE:kinglet-bench> $<TARGET_FILE:kinglet-weights>
              "${scratch}/published_sizes")
  endif()
  kinglet_add_test(
    programs.bench_kernels
    COMMAND bash "${CMAKE_CURRENT_SOURCE_DIR}/programs/bench_kernels.sh" "${run_bench_text}"
            "${KINGLET_HAVE_GOOGLE_BENCHMARK}" "${scratch}/bench_kernels")
endif()
kinglet_add_test(
  programs.outputs
  COMMAND bash "${CMAKE_CURRENT_SOURCE_DIR}/programs/outputs.sh" "${run_weights_text}"
          "${run_bench_text}" "${CMAKE_CURRENT_SOURCE_DIR}/data/alfred/hitut_bert" "${scratch}/outputs")
