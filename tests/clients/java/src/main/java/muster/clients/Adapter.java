package muster.clients;

import com.alibaba.nacos.api.NacosFactory;
import com.alibaba.nacos.api.PropertyKeyConst;
import com.alibaba.nacos.api.config.ConfigService;
import com.alibaba.nacos.api.config.listener.AbstractListener;
import com.alibaba.nacos.api.exception.NacosException;
import com.alibaba.nacos.api.naming.NamingService;
import com.alibaba.nacos.api.naming.listener.NamingEvent;
import com.alibaba.nacos.api.naming.pojo.Instance;
import com.alibaba.nacos.client.config.utils.SnapShotSwitch;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;

/** Adapter of nacos-client: executes the commands of ../README.md. */
public final class Adapter {
  private static final long GET_TIMEOUT_MS = 5000;

  private final ObjectMapper json = new ObjectMapper();
  private final Map<String, ConfigService> configs = new HashMap<>();
  private final Map<String, NamingService> namings = new HashMap<>();
  private final String server;
  private final PrintStream output;

  private Adapter(String server, PrintStream output) {
    this.server = server;
    this.output = output;
  }

  public static void main(String[] args) throws Exception {
    PrintStream output = new PrintStream(System.out, true, StandardCharsets.UTF_8);
    System.setOut(System.err); // what the SDK prints must not mix with answers
    Adapter adapter = new Adapter(args[0], output);
    if (System.getenv("MUSTER_TEST_NO_SNAPSHOTS") != null) {
      SnapShotSwitch.setIsSnapShot(false);
    }
    BufferedReader input =
        new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    ExecutorService workers = Executors.newCachedThreadPool();
    for (String line = input.readLine(); line != null; line = input.readLine()) {
      JsonNode command = adapter.json.readTree(line);
      workers.execute(() -> adapter.answer(command));
    }
    Runtime.getRuntime().halt(0); // the SDK's threads would keep the process
  }

  private synchronized void say(Map<String, Object> message) {
    try {
      output.println(json.writeValueAsString(message));
    } catch (Exception problem) {
      throw new IllegalStateException(problem);
    }
  }

  private void answer(JsonNode command) {
    Map<String, Object> message = new HashMap<>();
    message.put("id", command.get("id").asInt());
    try {
      message.put("value", run(command));
    } catch (Exception problem) {
      problem.printStackTrace();
      message.put("error", problem.toString());
    }
    say(message);
  }

  private Object run(JsonNode c) throws NacosException {
    switch (c.get("op").asText()) {
      case "publish":
      case "get":
      case "remove":
      case "listen":
        return runConfig(c, config(c.get("client").asText()));
      default:
        return runNaming(c, naming(c.get("client").asText()));
    }
  }

  private Properties properties() {
    Properties properties = new Properties();
    properties.put(PropertyKeyConst.SERVER_ADDR, server);
    return properties;
  }

  private synchronized ConfigService config(String client) throws NacosException {
    if (!configs.containsKey(client)) {
      configs.put(client, NacosFactory.createConfigService(properties()));
    }
    return configs.get(client);
  }

  private synchronized NamingService naming(String client) throws NacosException {
    if (!namings.containsKey(client)) {
      namings.put(client, NacosFactory.createNamingService(properties()));
    }
    return namings.get(client);
  }

  private Object runConfig(JsonNode c, ConfigService service) throws NacosException {
    String dataId = c.get("dataId").asText();
    String group = c.get("group").asText();
    switch (c.get("op").asText()) {
      case "publish":
        String content = c.get("content").asText();
        return c.hasNonNull("casMd5")
            ? service.publishConfigCas(dataId, group, content, c.get("casMd5").asText())
            : service.publishConfig(dataId, group, content);
      case "get":
        return service.getConfig(dataId, group, GET_TIMEOUT_MS);
      case "remove":
        return service.removeConfig(dataId, group);
      default:
        String tag = c.get("tag").asText();
        service.addListener(dataId, group, new AbstractListener() {
          @Override
          public void receiveConfigInfo(String changed) {
            Map<String, Object> event = new HashMap<>();
            event.put("event", "config");
            event.put("tag", tag);
            event.put("content", changed);
            say(event);
          }
        });
        return true;
    }
  }

  private Object runNaming(JsonNode c, NamingService service) throws NacosException {
    String name = c.get("service").asText();
    String group = c.get("group").asText();
    switch (c.get("op").asText()) {
      case "register":
      case "update": // registering again is how this SDK changes an instance
        service.registerInstance(name, group, fromJson(c.get("instance")));
        return true;
      case "deregister":
        service.deregisterInstance(name, group, fromJson(c.get("instance")));
        return true;
      case "batch":
        List<Instance> batch = new ArrayList<>();
        c.get("instances").forEach(each -> batch.add(fromJson(each)));
        service.batchRegisterInstance(name, group, batch);
        return true;
      case "list":
        return toJson(c.hasNonNull("healthy")
            ? service.selectInstances(name, group, c.get("healthy").asBoolean(), false)
            : service.getAllInstances(name, group, false));
      case "subscribe":
        String tag = c.get("tag").asText();
        service.subscribe(name, group, event -> {
          if (event instanceof NamingEvent) {
            Map<String, Object> message = new HashMap<>();
            message.put("event", "service");
            message.put("tag", tag);
            message.put("instances", toJson(((NamingEvent) event).getInstances()));
            say(message);
          }
        });
        return true;
      default:
        throw new IllegalArgumentException("unknown operation " + c.get("op"));
    }
  }

  private Instance fromJson(JsonNode from) {
    Instance to = new Instance();
    to.setIp(from.get("ip").asText());
    to.setPort(from.get("port").asInt());
    to.setWeight(from.get("weight").asDouble());
    to.setHealthy(from.get("healthy").asBoolean());
    to.setEnabled(from.get("enabled").asBoolean());
    to.setEphemeral(from.get("ephemeral").asBoolean());
    to.setClusterName(from.get("cluster").asText());
    Map<String, String> metadata = new HashMap<>();
    from.get("metadata").fields()
        .forEachRemaining(each -> metadata.put(each.getKey(), each.getValue().asText()));
    to.setMetadata(metadata);
    return to;
  }

  private static List<Map<String, Object>> toJson(List<Instance> hosts) {
    List<Map<String, Object>> to = new ArrayList<>();
    for (Instance each : hosts) {
      Map<String, Object> one = new LinkedHashMap<>();
      one.put("ip", each.getIp());
      one.put("port", each.getPort());
      one.put("weight", each.getWeight());
      one.put("healthy", each.isHealthy());
      one.put("enabled", each.isEnabled());
      one.put("ephemeral", each.isEphemeral());
      one.put("cluster", each.getClusterName());
      one.put("metadata", each.getMetadata());
      to.add(one);
    }
    return to;
  }
}
