# Asking Python, and what it says: warnings become warnings of R, errors its errors.

ask <- function(verb, arguments = list(), call = rlang::caller_env()) {
  answer <- start(call)
  released <- state$released
  state$released <- integer()
  request <- list(
    verb = verb,
    arguments = unclass(dictionary(arguments)),
    released = as.integer(released)
  )
  request <- serialize(request, NULL, version = 2L)
  # A function of the user may ask too, so what it said until then waits.
  before <- list(state$said, state$seed)
  state$said <- list()
  state$seed <- globalenv()$.Random.seed
  # Ctrl-C is Python's while Python works: a jump of R across it would end the session.
  # The functions that Python calls, answer_call() and lavaan's, let interrupts in again.
  # A handler that is still reticulate's would wait for as long as they are suspended.
  held <- if (isTRUE(state$reads_flag)) suspendInterrupts else identity
  reply <- tryCatch(unserialize(held(answer(request))), error = function(e) {
    # Python answers errors as data; these are Ctrl-C on reticulate's way there or back.
    if (!grepl("KeyboardInterrupt|not a Python object", conditionMessage(e))) stop(e)
    list(interrupted = TRUE)
  }, finally = {
    restore_seed(state$seed)
    spoken <- state$said
    state$said <- before[[1]]
    state$seed <- before[[2]]
  })
  # Where a handler of the user or an error leaves here, Python need not keep the result.
  value <- from_wire(reply$value)
  done <- FALSE
  on.exit(if (!done && is.list(value)) state$released <- c(state$released, value[["key"]]))
  for (condition in spoken) say(condition)
  for (said in reply$warnings) {
    warn(full_stop(said$message), call = call,
      class = unique(c(as.character(said$classes), "pyexpr_warning")))
  }
  if (isTRUE(reply$interrupted)) rlang::interrupt()
  if (!is.null(reply$error)) raise(reply$error, call)
  done <- TRUE
  value
}

# What a statistic said. rlang ends the line of its messages only when it shows them.
say <- function(condition) {
  if (inherits(condition, "warning")) return(warning(condition))
  withRestarts(muffleMessage = function() NULL, {
    signalCondition(condition)
    end <- if (inherits(condition, "rlang_message")) "\n" else ""
    cat(conditionMessage(condition), end, file = stderr(), sep = "")
  })
}

raise <- function(error, call) {
  classes <- as.character(error$classes)
  parent <- NULL
  message <- full_stop(error$message)
  if ("pyexpr_function_error" %in% classes) {
    parent <- state$condition
    state$condition <- NULL
    message <- "the R function stopped:"
  }
  abort(message, class = unique(c(classes, "pyexpr_error")), reason = error$reason,
    python_traceback = error$traceback, parent = parent, call = call)
}

# --- functions of the user, called from Python --------------------------------

# A function that Python can call by the token's id, for as long as the token lives:
# a result that can draw more replicates holds it. Ids are never used again.
function_token <- function(f) {
  token <- new.env(parent = emptyenv())
  state$n_functions <- state$n_functions + 1L
  token$id <- state$n_functions
  assign(as.character(token$id), f, envir = state$functions)
  reg.finalizer(token, function(t) rm(list = as.character(t$id), envir = state$functions))
  token
}

# A handler of the user that leaves the call must not jump across Python, so warnings
# and messages wait until ask() is back.
answer_call <- function(bytes) {
  request <- unserialize(bytes)
  f <- get(as.character(request$`function`), envir = state$functions)
  keep <- function(restart) function(condition) {
    # Without the restart it was only signalled, and is nobody's to show.
    if (is.null(findRestart(restart, condition))) return()
    state$said[[length(state$said) + 1L]] <- condition
    invokeRestart(restart)
  }
  answer <- tryCatch(
    withCallingHandlers(
      numbers_of(allowInterrupts(f(request$arguments$weights))),
      warning = keep("muffleWarning"), message = keep("muffleMessage")
    ),
    error = function(e) {
      state$condition <- e
      list(status = "error")
    },
    interrupt = function(e) list(status = "interrupted"),
    # What the user drew is drawn.
    finally = state$seed <- globalenv()$.Random.seed
  )
  serialize(answer, NULL, version = 2L)
}

numbers_of <- function(value) {
  if (is.list(value)) value <- unlist(value)
  if (!(is.numeric(value) || is.logical(value)) || !length(value)) {
    abort(sprintf("`statistic` must return numbers, named or one, not %s.", described_type(value)),
      call = NULL)
  }
  names <- if (is.null(names(value))) NULL else utf8(names(value))
  nameless <- if (is.null(names)) length(value) > 1L else is.na(names) | !nzchar(names)
  if (any(nameless)) {
    abort(sprintf(paste("`statistic` must name its numbers where there are several;",
      "number %d of %d has no name."), which(nameless)[1], length(value)), call = NULL)
  }
  if (anyDuplicated(names)) {
    abort(sprintf("`statistic` must give each number a name of its own; `%s` comes twice.",
      names[anyDuplicated(names)]), call = NULL)
  }
  list(status = "ok", value = as.double(value), names = names)
}

# The user's draws go on as if lavaan had drawn none. The state is set back only here,
# because reticulate writes its copy when Python returns.
restore_seed <- function(seed) {
  if (!is.null(seed)) {
    assign(".Random.seed", seed, envir = globalenv())
  } else if (exists(".Random.seed", globalenv(), inherits = FALSE)) {
    rm(".Random.seed", envir = globalenv())
  }
}
