-- wrk script: sends the ballots of a file, one a request, each once.
-- When there is none left it says so and sends no more.
-- Usage: wrk -t1 -c64 -d10 -s vote.lua http://HOST:PORT -- BALLOTS.jsonl
local ballots = {}
local position = 0

function init(args)
  for line in io.lines(args[1]) do
    ballots[#ballots + 1] = wrk.format("POST", "/api/v1/vote",
      { ["Content-Type"] = "application/json" }, line)
  end
end

function request()
  position = position + 1
  if position > #ballots then
    io.write("no ballots left\n")
    wrk.thread:stop()
  end
  return ballots[math.min(position, #ballots)]
end
