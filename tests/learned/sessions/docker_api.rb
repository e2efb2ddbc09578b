# What programs do with docker-api.
require "excon"
require "rubygems/package" # docker-api uses it and does not load it
# Debian's Excon has frozen the list that this version of docker-api adds a word to.
if Excon::VALID_REQUEST_KEYS.frozen?
  keys = Excon::VALID_REQUEST_KEYS.dup
  Excon.send(:remove_const, :VALID_REQUEST_KEYS)
  Excon::VALID_REQUEST_KEYS = keys
end
require "docker"

def look
  Docker.ping
  Docker.version
  Docker.info
  Docker::Container.all(all: true, filters: { label: ["staged"] }.to_json)
  staged = Docker::Container.get("staged")
  staged.logs(stdout: true, tail: 1)
  staged.top
  staged.changes
  staged.stats
  Docker::Image.all
  busybox = Docker::Image.get("busybox")
  busybox.history
  raise "there is an image" if Docker::Image.exist?("absent")
end

def work
  box = Docker::Container.create(
    "name" => "box",
    "Image" => "busybox",
    "Cmd" => ["sleep", "600"],
    "Env" => ["A=b"],
    "HostConfig" => { "Init" => true, "PortBindings" => { "80/tcp" => [{ "HostIp" => "127.0.0.1" }] } },
  )
  box.start
  out, _, status = box.exec(["echo", "hello"])
  raise "echo: #{out}" unless out == ["hello\n"] && status.zero?
  out, = box.exec(["cat"], stdin: StringIO.new("hello"))
  raise "cat: #{out}" unless out == ["hello"]
  box.store_file("/tmp/a", "hello")
  raise "read" unless box.read_file("/tmp/a") == "hello"
  box.archive_out("/tmp/a") { |piece| piece }
  box.pause
  box.unpause
  box.update("Memory" => 64 << 20, "MemorySwap" => 64 << 20)
  box.rename("boxed")
  box.restart("t" => 1)
  box.refresh!
  box.commit("repo" => "committed", "tag" => "1", "run" => { "Labels" => { "a" => "b" } })
  box.kill
  box.wait
  box.start
  box.stop("t" => 1)
  box.delete(v: true)
  once = Docker::Container.create("Image" => "busybox", "Cmd" => ["cat"], "OpenStdin" => true, "StdinOnce" => true)
  out, = once.tap(&:start).attach(stdin: StringIO.new("hello"))
  raise "attach: #{out}" unless out == ["hello"]
  once.delete(force: true)
end

def keep
  Docker::Image.get("busybox").tag("repo" => "tagged", "tag" => "1")
  built = Docker::Image.build("FROM busybox\nRUN echo hello\n", "t" => "built:1")
  built.run("echo hello").tap(&:wait).delete
  ["tagged:1", "built:1", "committed:1"].each { |name| Docker::Image.get(name).remove(name: name) }
  network = Docker::Network.create("net")
  network.connect("staged")
  network.disconnect("staged")
  network.remove
  Docker::Network.all
  Docker::Volume.create("vol")
  Docker::Volume.all
  Docker::Volume.get("vol").remove
end

def follow
  since = Time.now.to_i # the network may be gone before the stream is there
  events = Enumerator.new do |seen|
    Docker::Event.stream(since: since, filters: { type: ["network"] }.to_json) { |event| seen << event }
  end
  made = Thread.new { Docker::Network.create("seen").remove }
  events.first
  made.join
end

[:look, :work, :keep, :follow].each { |part| send(part) }
