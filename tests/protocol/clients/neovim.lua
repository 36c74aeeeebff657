-- What Neovim's own LSP client makes of a configuration file. The server is told nothing but plain
-- LSP. Prints one line of JSON on stderr; the caller judges it.

local function wait_for(what, condition)
  if not vim.wait(20000, condition, 20) then
    error("waited in vain for " .. what)
  end
end

local function find(text)
  for row, line in ipairs(vim.api.nvim_buf_get_lines(0, 0, -1, true)) do
    local column = line:find(text, 1, true)
    if column then
      return row, column - 1
    end
  end
  error("no " .. text)
end

local function main()
  local seen = {}
  local client = vim.lsp.start_client({
    name = "mirrord",
    cmd = { vim.env.MIRRORD_SERVER, "--stdio" },
    root_dir = vim.fn.getcwd(),
  })
  assert(client, "the client did not start")
  vim.lsp.buf_attach_client(0, client)
  wait_for("the server", function()
    return vim.lsp.get_client_by_id(client) and vim.lsp.get_client_by_id(client).initialized
  end)

  local function diagnostics()
    return vim.tbl_map(function(one)
      return { row = one.lnum, column = one.col, stop = one.end_col, severity = one.severity, message = one.message }
    end, vim.diagnostic.get(0))
  end
  wait_for("diagnostics", function() return #vim.diagnostic.get(0) > 0 end)
  seen.wrong = diagnostics()

  -- The client sends only what changes.
  local row, column = find("reed")
  vim.api.nvim_buf_set_text(0, row - 1, column, row - 1, column + 4, { "read" })
  wait_for("no diagnostics", function() return #vim.diagnostic.get(0) == 0 end)

  local function ask(method, params)
    local answers, problem = vim.lsp.buf_request_sync(0, method, params, 20000)
    assert(answers and answers[client], method .. ": " .. tostring(problem))
    assert(not answers[client].error, method .. ": " .. vim.inspect(answers[client].error))
    return answers[client].result
  end
  row, column = find("read")
  vim.api.nvim_win_set_cursor(0, { row, column })
  local completion = ask("textDocument/completion", vim.lsp.util.make_position_params())
  seen.completion = vim.tbl_map(function(item) return item.label end, completion.items or completion)

  row, column = find("mode")
  vim.api.nvim_win_set_cursor(0, { row, column })
  local hover = ask("textDocument/hover", vim.lsp.util.make_position_params())
  seen.hover = table.concat(vim.lsp.util.convert_input_to_markdown_lines(hover.contents), "\n")

  vim.lsp.buf.formatting_sync({ tabSize = 2, insertSpaces = true }, 20000)
  seen.formatted = vim.api.nvim_buf_get_lines(0, 0, -1, true)
  vim.lsp.stop_client(client)
  wait_for("the client's end", function() return vim.lsp.client_is_stopped(client) end)
  return seen
end

local well, result = pcall(main)
io.stderr:write(vim.json.encode(well and { seen = result } or { problem = tostring(result) }) .. "\n")
vim.cmd("qall!")
