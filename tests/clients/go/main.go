// Adapter of nacos-sdk-go: executes the commands described in ../README.md.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"

	"github.com/nacos-group/nacos-sdk-go/v2/clients"
	"github.com/nacos-group/nacos-sdk-go/v2/clients/config_client"
	"github.com/nacos-group/nacos-sdk-go/v2/clients/naming_client"
	"github.com/nacos-group/nacos-sdk-go/v2/common/constant"
	"github.com/nacos-group/nacos-sdk-go/v2/model"
	"github.com/nacos-group/nacos-sdk-go/v2/vo"
)

type instance struct {
	IP        string            `json:"ip"`
	Port      uint64            `json:"port"`
	Weight    float64           `json:"weight"`
	Healthy   bool              `json:"healthy"`
	Enabled   bool              `json:"enabled"`
	Ephemeral bool              `json:"ephemeral"`
	Cluster   string            `json:"cluster"`
	Metadata  map[string]string `json:"metadata"`
}

type command struct {
	ID        int        `json:"id"`
	Op        string     `json:"op"`
	Client    string     `json:"client"`
	Tag       string     `json:"tag"`
	DataID    string     `json:"dataId"`
	Group     string     `json:"group"`
	Content   string     `json:"content"`
	CasMd5    string     `json:"casMd5"`
	Service   string     `json:"service"`
	Instance  instance   `json:"instance"`
	Instances []instance `json:"instances"`
	Healthy   *bool      `json:"healthy"`
}

type adapter struct {
	servers []constant.ServerConfig
	workdir string
	clients sync.Mutex // guards the two maps
	configs map[string]config_client.IConfigClient
	namings map[string]naming_client.INamingClient
	output  sync.Mutex
}

func (a *adapter) print(message map[string]any) {
	line, err := json.Marshal(message)
	if err != nil {
		panic(err)
	}
	a.output.Lock()
	defer a.output.Unlock()
	fmt.Println(string(line))
}

func (a *adapter) param(client string) vo.NacosClientParam {
	folder := a.workdir + "/" + client
	config := constant.NewClientConfig(constant.WithLogDir(folder+"/log"),
		constant.WithCacheDir(folder+"/cache"), constant.WithLogLevel("info"),
		constant.WithTimeoutMs(10000),
		constant.WithDisableUseSnapShot(os.Getenv("MUSTER_TEST_NO_SNAPSHOTS") != ""))
	return vo.NacosClientParam{ClientConfig: config, ServerConfigs: a.servers}
}

func (a *adapter) config(client string) (config_client.IConfigClient, error) {
	a.clients.Lock()
	defer a.clients.Unlock()
	if known, ok := a.configs[client]; ok {
		return known, nil
	}
	made, err := clients.NewConfigClient(a.param(client))
	if err == nil {
		a.configs[client] = made
	}
	return made, err
}

func (a *adapter) naming(client string) (naming_client.INamingClient, error) {
	a.clients.Lock()
	defer a.clients.Unlock()
	if known, ok := a.namings[client]; ok {
		return known, nil
	}
	made, err := clients.NewNamingClient(a.param(client))
	if err == nil {
		a.namings[client] = made
	}
	return made, err
}

func toInstances(from []model.Instance) []instance {
	to := []instance{}
	for _, each := range from {
		to = append(to, instance{each.Ip, each.Port, each.Weight, each.Healthy, each.Enable,
			each.Ephemeral, each.ClusterName, each.Metadata})
	}
	return to
}

func registration(service, group string, i instance) vo.RegisterInstanceParam {
	return vo.RegisterInstanceParam{Ip: i.IP, Port: i.Port, Weight: i.Weight, Enable: i.Enabled,
		Healthy: i.Healthy, Metadata: i.Metadata, ClusterName: i.Cluster, ServiceName: service,
		GroupName: group, Ephemeral: i.Ephemeral}
}

func (a *adapter) runConfig(c command) (any, error) {
	name := c.Client
	if c.Op == "listen" {
		// The SDK takes a key that is added while a listen request is under way for
		// listened to, without asking: every listener has a client of its own.
		name += "-" + c.Tag
	}
	client, err := a.config(name)
	if err != nil {
		return nil, err
	}
	param := vo.ConfigParam{DataId: c.DataID, Group: c.Group, Content: c.Content, CasMd5: c.CasMd5}
	switch c.Op {
	case "publish":
		return client.PublishConfig(param)
	case "get":
		content, err := client.GetConfig(param)
		if content == "" {
			return nil, err // the SDK says "" for what does not exist
		}
		return content, err
	case "remove":
		return client.DeleteConfig(param)
	}
	param.OnChange = func(_, _, _, data string) {
		a.print(map[string]any{"event": "config", "tag": c.Tag, "content": data})
	}
	return true, client.ListenConfig(param)
}

func (a *adapter) list(client naming_client.INamingClient, c command) (any, error) {
	if c.Healthy == nil {
		hosts, err := client.SelectAllInstances(
			vo.SelectAllInstancesParam{ServiceName: c.Service, GroupName: c.Group})
		return toInstances(hosts), err
	}
	hosts, err := client.SelectInstances(vo.SelectInstancesParam{
		ServiceName: c.Service, GroupName: c.Group, HealthyOnly: *c.Healthy})
	return toInstances(hosts), err
}

func (a *adapter) runNaming(c command) (any, error) {
	client, err := a.naming(c.Client)
	if err != nil {
		return nil, err
	}
	one := registration(c.Service, c.Group, c.Instance)
	switch c.Op {
	case "register":
		return client.RegisterInstance(one)
	case "update":
		return client.UpdateInstance(vo.UpdateInstanceParam(one))
	case "batch":
		batch := vo.BatchRegisterInstanceParam{ServiceName: c.Service, GroupName: c.Group}
		for _, each := range c.Instances {
			batch.Instances = append(batch.Instances, registration(c.Service, c.Group, each))
		}
		return client.BatchRegisterInstance(batch)
	case "deregister":
		return client.DeregisterInstance(vo.DeregisterInstanceParam{Ip: one.Ip, Port: one.Port,
			Cluster: one.ClusterName, ServiceName: c.Service, GroupName: c.Group,
			Ephemeral: one.Ephemeral})
	case "list":
		return a.list(client, c)
	case "subscribe":
		return true, client.Subscribe(&vo.SubscribeParam{ServiceName: c.Service, GroupName: c.Group,
			SubscribeCallback: func(hosts []model.Instance, err error) {
				if err == nil {
					a.print(map[string]any{"event": "service", "tag": c.Tag,
						"instances": toInstances(hosts)})
				}
			}})
	}
	return nil, fmt.Errorf("unknown operation %q", c.Op)
}

func (a *adapter) run(c command) (any, error) {
	switch c.Op {
	case "publish", "get", "remove", "listen":
		return a.runConfig(c)
	}
	return a.runNaming(c)
}

func parseServers(addresses string) []constant.ServerConfig {
	servers := []constant.ServerConfig{}
	for _, address := range strings.Split(addresses, ",") {
		host, portText, _ := strings.Cut(address, ":")
		port, err := strconv.ParseUint(portText, 10, 16)
		if err != nil {
			panic(err)
		}
		servers = append(servers, *constant.NewServerConfig(host, port))
	}
	return servers
}

func (a *adapter) answer(c command) {
	value, err := a.run(c)
	answer := map[string]any{"id": c.ID, "value": value}
	if err != nil {
		answer["error"] = err.Error()
	}
	a.print(answer)
}

func main() {
	a := &adapter{servers: parseServers(os.Args[1]), workdir: os.Args[2],
		configs: map[string]config_client.IConfigClient{},
		namings: map[string]naming_client.INamingClient{}}
	input := bufio.NewReader(os.Stdin)
	for {
		line, err := input.ReadBytes('\n')
		if err != nil {
			return // the orchestrator closed our input: the end
		}
		var c command
		if err := json.Unmarshal(line, &c); err != nil {
			panic(err)
		}
		go a.answer(c)
	}
}
