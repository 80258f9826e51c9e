#pragma once
// Everything a program needs to run a model.

#include <kinglet/backend/count.hpp>
#include <kinglet/backend/cpu.hpp>
#include <kinglet/io/model_file.hpp>
#include <kinglet/io/wordpiece.hpp>
#include <kinglet/models/alfred_seq2seq.hpp>
#include <kinglet/models/bert.hpp>
#include <kinglet/models/camera_frame.hpp>
#include <kinglet/models/hitut.hpp>
#include <kinglet/models/hitut_agent.hpp>
#include <kinglet/models/pabee.hpp>
#include <kinglet/models/resnet.hpp>
#include <kinglet/models/speaker_encoder.hpp>
